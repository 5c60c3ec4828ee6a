// Saves the worksheet as Markdown, made here from what the page shows: nothing is sent anywhere.
() => {
  const sheet = document.querySelector("#practice-sheet-page");
  if (!sheet) return;
  // Signs that Markdown would read as its own are written as themselves.
  const plain = (text) => text.trim().replace(/[\\`*_#<>|~$]/g, (sign) => "\\" + sign);
  const list = (root, line) => [...root.children].map((item, index) => `${index + 1}. ${line(item)}`).join("\n\n");
  const paragraphs = (item) => [...item.querySelectorAll("p")].map((p) => p.textContent);
  const title = plain(sheet.querySelector("h2").textContent);
  const key = sheet.querySelector(".mt-sheet-key");
  const text = [
    `# ${title}`,
    list(sheet.querySelector(".mt-sheet-problems"), (item) => plain(paragraphs(item)[0])),
    `# ${plain(key.querySelector("h2").textContent)}`,
    list(key.querySelector("ol"), (item) => { const [answer, steps] = paragraphs(item); return `**${plain(answer)}**: ${plain(steps)}`; }),
  ].join("\n\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  link.download = sheet.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
