// Draws every chart of the page into the element that has its name, in the page's own colours.
const charts = JSON.parse(document.getElementById("charts").textContent);
const ink = "currentColor";
const text = { labelColor: ink, titleColor: ink };
const config = {
  background: null,
  font: "system-ui, sans-serif",
  axis: { ...text, labelFontSize: 12, titleFontSize: 13, titleFontWeight: "normal", domainColor: ink, domainOpacity: 0.5,
    tickColor: ink, tickOpacity: 0.5, gridColor: ink, gridOpacity: 0.12 },
  legend: { ...text, labelFontSize: 12, titleFontSize: 13, titleFontWeight: "normal", labelLimit: 260 },
  header: { ...text, labelFontSize: 13, titleFontSize: 13, titleFontWeight: "normal" },
  title: { color: ink, subtitleColor: ink, fontSize: 14, fontWeight: 600, anchor: "start" },
  text: { color: ink },
  view: { stroke: null },
};
const actions = { export: { svg: true, png: true }, source: false, compiled: false, editor: false };
window.views = {};
const legends = (spec) => Object.values(spec).flatMap((one) =>
  one && typeof one === "object" ? [...(one.legend ? [one.legend] : []), ...legends(one)] : []);
const drawn = [];
const shared = JSON.parse(document.getElementById("datasets")?.textContent ?? "{}");
for (const [id, spec] of Object.entries(charts)) {
  const place = document.getElementById(id);
  const wide = place.clientWidth;
  const used = JSON.stringify(spec);
  for (const [name, rows] of Object.entries(shared)) {
    if (used.includes(`"data":{"name":${JSON.stringify(name)}}`)) {
      spec.datasets = { ...spec.datasets, [name]: structuredClone(rows) };
    }
  }
  if (spec.columns && spec.spec?.width) {
    const fit = Math.max(1, Math.min(spec.columns, Math.floor((wide - 60) / (spec.spec.width + 24))));
    const count = spec.params?.find((one) => one.name === "shown")?.value.length ?? fit;
    spec.columns = Math.ceil(count / Math.ceil(count / fit));  // as many in each row, which they fill
    const share = Math.floor((wide - 70) / spec.columns) - 24;
    spec.spec.width = Math.max(spec.spec.width, Math.min(share, 420));
    spec.spec.height = Math.max(spec.spec.height, Math.min(Math.round(0.62 * spec.spec.width), 240));
  }
  for (const one of legends(spec)) if (one.columns) one.columns = Math.max(1, Math.min(one.columns, Math.floor(wide / 150)));
  const options = { mode: "vega-lite", ast: true, renderer: "svg", actions, config, downloadFileName: id };
  drawn.push(
    window.vegaEmbed(place, spec, options).then((made) => {
      window.views[id] = made.view;
    }).catch((error) => {
      place.textContent = "This chart could not be drawn.";
      console.error(id, error);
    }),
  );
  await drawn.at(-1); // one after the other: a page of many charts can be read and scrolled meanwhile
  await new Promise((done) => setTimeout(done));
}
Promise.all(drawn).then(() => {
  document.documentElement.dataset.drawn = String(drawn.length);
  document.dispatchEvent(new Event("drawn"));
});
// Paper is narrower than most windows: charts are drawn again at its width, so that their texts keep their size.
const onPaper = (paper) => {
  for (const place of Object.keys(window.views).map((id) => document.getElementById(id))) {
    place.style.width = !paper ? "" : place.closest(".two") ? "370px" : "680px";
  }
  window.dispatchEvent(new Event("resize"));
};
window.addEventListener("beforeprint", () => onPaper(true));
window.addEventListener("afterprint", () => onPaper(false));
