// The list of runs; a click on one shows its curves and the YAML that makes it again.
const runs = JSON.parse(document.getElementById("run-data").textContent);
const splits = { train_loss: "training", validation_loss: "validation", test_loss: "test" };
const list = document.getElementById("run-table");
const place = document.getElementById("run");
for (const [i, head] of runs.heads.entries()) {
  const cell = document.createElement("th");
  cell.scope = "col";
  cell.textContent = head;
  if (i > 0 && i < runs.filters) cell.dataset.filter = "";
  list.tHead.rows[0].append(cell);
}
const show = (i, move = true) => {
  const [name] = runs.rows[i];
  const settings = runs.heads.slice(1, runs.filters).map((head, j) => `${head} ${runs.rows[i][j + 1]}`);
  place.querySelector("h3").textContent = `Run ${name}: ${settings.join(", ")}`;
  place.querySelector("code").textContent = runs.yaml.map((piece, j) =>
    piece + (j < runs.slots[i].length ? JSON.stringify(runs.slots[i][j]) : "")).join("");
  const rows = Object.entries(splits).flatMap(([key, of]) =>
    (runs.curves[key]?.[i] ?? []).map((loss, j) => ({ of, step: runs.steps[runs.curves.at[i]][j], loss })));
  const view = window.views?.curves;
  const end = runs.steps[runs.curves.at[i]].slice(-1).map((step) => ({ step }));
  if (runs.diverged[i] !== null) end.push({ step: runs.diverged[i], diverged: true });
  view?.data("curve", rows.filter((row) => row.loss !== null)).data("end", end).runAsync();
  for (const row of list.tBodies[0].rows) row.toggleAttribute("aria-selected", row.dataset.run === name);
  if (move) place.scrollIntoView({ block: "nearest" });
};
window.attach(list, runs.rows.map((texts, i) => ({
  texts,
  make: () => {
    const row = document.createElement("tr");
    row.dataset.run = texts[0];
    for (const [j, text] of texts.entries()) {
      const cell = row.insertCell();
      if (j > 0) {
        cell.textContent = text;
        continue;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      cell.append(button);
    }
    row.addEventListener("click", () => show(i));
    return row;
  },
})), 25);
show(runs.first, false);
document.addEventListener("drawn", () => show(runs.first, false));
