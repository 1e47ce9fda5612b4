// Buttons that give a picture, or numbers which the page holds compressed, as a file.
const give = (name, address) => {
  const link = document.createElement("a");
  link.download = name;
  link.href = address;
  link.click();
};
for (const button of document.querySelectorAll("button.keep")) {
  button.addEventListener("click", async () => {
    const { name, gzip } = button.dataset;
    if (!gzip) return give(name, button.closest("figure").querySelector("img").src);
    const bytes = Uint8Array.from(atob(gzip), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const type = name.endsWith(".pdf") ? "application/pdf" : "text/csv";
    const blob = new Blob([await new Response(stream).blob()], { type });
    const address = URL.createObjectURL(blob);
    give(name, address);
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  });
}
