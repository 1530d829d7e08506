"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sense = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sense > 0 ? "ascending" : "descending");
      const order = (first, second) => {
        const [a, b] = [key(first, column), key(second, column)];
        if (a === "" || b === "") return (a === "") - (b === "");
        const numbers = [Number(a), Number(b)];
        const text = numbers.some(Number.isNaN);
        return sense * (text ? a.localeCompare(b, "en", { numeric: true }) : numbers[0] - numbers[1]);
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}
const filter = document.getElementById("filter");
const flagged = document.getElementById("flagged");
const rows = [...document.getElementById("vertebrae").tBodies[0].rows];
function narrow() {
  const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = (flagged.checked && !row.dataset.flagged) || !wanted.every((word) => text.includes(word));
    shown += !row.hidden;
  }
  document.getElementById("shown").textContent = `${shown} of ${rows.length} shown`;
}
filter.addEventListener("input", narrow);
flagged.addEventListener("change", narrow);
narrow();
