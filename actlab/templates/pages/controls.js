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
  const shares = (form.dataset.shares ?? "").split(" "); // of these all runs count, whether they trained or not
  const rows = shared[form.dataset.rows] ?? [];
  const cells = JSON.parse(document.getElementById(`${form.dataset.rows}-cells`)?.textContent ?? "[]");
  // What a reader has to know of the lines that are drawn: of how few runs they are, and which are none.
  const told = ({ s, measure, shown }, fits) => {
    const groups = { some: [], mixed: [], none: [], never: [] };
    for (const cell of shown.flatMap((name) => cells.filter((one) => one.a === name && fits(one)))) {
      const of = rows.filter((row) => row.seed < 0 && row.a === cell.a && fits(row));
      const count = (row) => (row[measure].some((value) => value !== null) ? row.n?.[measure] ?? row.of : 0);
      const row = of.find((one) => one.s === s);
      const n = row ? count(row) : 0;
      if (n === 0) (of.some((one) => count(one) > 0) ? groups.none : groups.never).push(cell.a);
      else if (n < cell.of) groups.some.push(`${cell.a}: ${n} of ${cell.of} runs`);
      if (n > 0 && row.mixed && !shares.includes(measure)) groups.mixed.push(`${cell.a}: ${row.trained} of ${cell.of} trained, each seed is drawn`);
    }
    const { some, mixed, none, never } = groups;
    return [...some, ...mixed, ...(none.length ? [`${none.join(", ")}: none left`] : []),
      ...(never.length ? [`${never.join(", ")}: no value at any step`] : [])].join("; ");
  };
  const set = () => {
    const wanted = {};
    for (const input of inputs) {
      wanted[input.dataset.signal] = valueOf(input);
      const output = input.closest("label")?.querySelector("output");
      if (!output) continue;
      output.textContent = String(valueOf(input));
      input.setAttribute("aria-valuetext", output.textContent);
    }
    const fits = (row) => inputs.every(({ dataset: { signal, field } }) => !field || row[field] === wanted[signal]);
    const some = rows.some(fits);
    const any = some && rows.some((row) => fits(row) && wanted.shown.includes(row.a));
    note.textContent = any ? told(wanted, fits) : !some ? "No run has these settings."
      : wanted.shown.length ? "No run of the chosen activations has these settings." : "No activation is chosen.";
    for (const id of form.dataset.charts.split(" ")) {
      const figure = document.getElementById(id).closest("figure");
      const back = any && figure.hidden;
      figure.hidden = !any; // empty axes say nothing
      const view = window.views[id];
      if (!view || !any) continue;
      for (const [signal, value] of Object.entries(wanted)) view.signal(signal, value);
      view.runAsync().then(() => back && window.dispatchEvent(new Event("resize"))); // it had no width meanwhile
    }
  };
  form.addEventListener("input", set);
  document.addEventListener("drawn", set);
}
