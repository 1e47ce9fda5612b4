// Cards of studies: those that hold every word that is typed, in the order that is chosen.
const list = document.getElementById("studies");
const form = document.getElementById("choose");
const [typed, order, said] = ["typed", "order", "said"].map((id) => document.getElementById(id));
const plain = (text) => text.normalize("NFKC").toLowerCase();
const cards = [...list.children].map((card) => ({ card, text: plain(card.textContent), runs: Number(card.dataset.runs) }));
const show = () => {
  const words = plain(typed.value).split(/\s+/);
  for (const { card, text } of cards) card.hidden = !words.every((word) => text.includes(word));
  const left = cards.filter(({ card }) => !card.hidden).length;
  said.textContent = left < cards.length ? `${left} of ${cards.length} studies` : "";
};
const sort = () => {
  const sorted = order.value === "runs" ? [...cards].sort((a, b) => b.runs - a.runs) : cards; // they come by name
  list.append(...sorted.map(({ card }) => card));
};
typed.addEventListener("input", show);
order.addEventListener("change", sort);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
show(); // a browser may keep what was typed
sort();
