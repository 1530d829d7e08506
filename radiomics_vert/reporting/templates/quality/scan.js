"use strict";
const vertebrae = [...document.querySelectorAll("section.vertebra")];
function current() {
  return vertebrae.findIndex((section) => section.id === decodeURIComponent(location.hash.slice(1)));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox])")) return;
  if (event.key === "o") document.getElementById("outlines").click();
  const step = { n: 1, p: -1 }[event.key];
  const next = step && vertebrae[Math.max(0, current() + step)];
  if (next) location.hash = next.id;
});
