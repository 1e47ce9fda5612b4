// Tables whose rows are sorted by a click on a heading, and filtered by the settings in them.
// attach(table, rows): rows of {texts: [one a column], make: () => <tr>}; only those that are shown are made.
const number = (text) => {
  const value = text.replace(/^\d+ of \d+ [^:]*: /, "");
  if (/^\d+ of \d+ (diverged|undefined)/.test(value)) return NaN; // how many have no value is none
  const plain = value.replace(/−/g, "-").replace(/^[<≤≥> ]+/, "");
  const found = /^-?(∞|\d+\.?\d*(e-?\d+)?)/.exec(plain);
  return found ? Number(found[0].replace("∞", "Infinity")) : NaN;
};
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return (Number.isNaN(x) ? 0 : x - y) || a.localeCompare(b, "en", { numeric: true });
};
const choice = (name, values, changed) => {
  const label = document.createElement("label");
  const select = document.createElement("select");
  for (const value of ["all", ...values]) select.add(new Option(value, value === "all" ? "" : `=${value}`));
  select.addEventListener("change", () => changed(select.value && select.value.slice(1), select.value === ""));
  label.append(`${name} `, select);
  return label;
};

// What a cell is filtered by: of a verdict its word, without what stands beside that.
const kind = (row, i) => row.kinds?.[i] ?? row.texts[i];

window.attach = (table, rows, most = Infinity) => {
  const heads = [...table.tHead.rows[0].cells];
  const filters = new Map();
  const scroll = table.closest(".scroll");
  let [by, down, shown] = [-1, false, most];
  const controls = document.createElement("div");
  controls.className = "controls";
  const said = document.createElement("span");
  said.className = "soft";
  said.setAttribute("role", "status");
  const more = document.createElement("button");
  more.type = "button";
  more.textContent = "Show more rows";
  const chosen = () => rows.filter((row) => [...filters].every(([i, value]) => kind(row, i) === value));
  const show = () => {
    const left = chosen();
    if (by >= 0) {
      left.sort((a, b) => compare(a.texts[by], b.texts[by]) * (down && !(Number.isNaN(number(a.texts[by])) !== Number.isNaN(number(b.texts[by]))) ? -1 : 1));
    }
    table.tBodies[0].replaceChildren(...left.slice(0, shown).map((row) => (row.made ??= row.make())));
    tell();
    more.hidden = left.length <= shown;
  };
  const tell = () => {
    const wide = scroll.scrollWidth > scroll.clientWidth;
    const count = Math.min(shown, chosen().length);
    said.textContent = [count < rows.length ? `${count} of ${rows.length} rows` : "", wide ? "more columns to the right →" : ""]
      .filter(Boolean).join("; ");
  };
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      down = by === i && !down;
      by = i;
      heads.forEach((one, j) => one.setAttribute("aria-sort", j !== i ? "none" : down ? "descending" : "ascending"));
      show();
    });
    if (!("filter" in head.dataset)) return;
    const values = [...new Set(rows.map((row) => kind(row, i)))].sort(compare);
    if (values.length < 2) return;
    controls.append(choice(head.textContent, values, (value, all) => {
      if (all) filters.delete(i);
      else filters.set(i, value);
      shown = most;
      show();
    }));
  });
  for (const name of new Set(heads.map((head) => head.dataset.across).filter(Boolean))) {
    const values = heads.filter((head) => head.dataset.across === name).map((head) => head.dataset.value);
    if (new Set(values).size < 2) continue;
    controls.append(choice(name, [...new Set(values)], (value, all) => {
      heads.forEach((head, i) => {
        if (head.dataset.across !== name) return;
        const hide = !all && head.dataset.value !== value;
        head.hidden = hide;
        for (const row of rows) (row.made ??= row.make()).cells[i].hidden = hide;
      });
      tell();
    }));
  }
  more.addEventListener("click", () => {
    shown += most;
    show();
  });
  controls.append(said);
  scroll.before(controls);
  scroll.after(more);
  show();
  new ResizeObserver(tell).observe(scroll); // a narrower window, or one that was folded
};

for (const table of document.querySelectorAll("table.sortable")) {
  const rows = [...table.tBodies[0].rows].map((row) => ({
    texts: [...row.cells].map((cell) => cell.textContent),
    kinds: [...row.cells].map((cell) => (cell.querySelector(":scope > strong:first-child") ?? cell).textContent),
    make: () => row,
  }));
  if (rows.length > 1 && table.querySelector("[data-filter], [data-across]")) window.attach(table, rows);
}
