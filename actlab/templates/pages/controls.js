// What a reader sets (sliders, choices, boxes) becomes signals of the charts named in data-charts.
const shared = JSON.parse(document.getElementById("datasets")?.textContent ?? "{}");
for (const form of document.querySelectorAll("form[data-charts]")) {
  form.addEventListener("submit", (event) => event.preventDefault());
  const inputs = [...form.querySelectorAll("[data-signal]")];
  const valueOf = (input) => {
    if (input.type === "checkbox") return input.checked;
    if (input.tagName === "FIELDSET") {
      return [...input.querySelectorAll("input:checked")].map((box) => box.value);
    }
    return input.dataset.values ? JSON.parse(input.dataset.values)[Number(input.value)] : input.value;
  };
  const note = form.querySelector("[role=status]");
  const set = () => {
    const wanted = {};
    for (const input of inputs) {
      wanted[input.dataset.signal] = valueOf(input);
      const output = input.closest("label")?.querySelector("output");
      if (!output) continue;
      output.textContent = String(valueOf(input));
      input.setAttribute("aria-valuetext", output.textContent);
    }
    const fits = (row) => inputs.every(({ dataset: { signal, field } }) =>
      !field || (Array.isArray(wanted[signal]) ? wanted[signal].includes(row[field]) : row[field] === wanted[signal]));
    note.textContent = (shared[form.dataset.rows] ?? []).some(fits) ? "" : "No run has these settings.";
    for (const id of form.dataset.charts.split(" ")) {
      const view = window.views[id];
      if (!view) continue;
      for (const [signal, value] of Object.entries(wanted)) view.signal(signal, value);
      view.runAsync();
    }
  };
  form.addEventListener("input", set);
  document.addEventListener("drawn", set);
}
