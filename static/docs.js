// @ts-check
// The reference: finding an operation, and opening the one an address names. Without this file everything is there.

const search = /** @type {HTMLInputElement|null} */ (document.querySelector("#search"));
const found = document.querySelector("#search-found");
const operations = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-op]"));

function filter() {
  const words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const operation of operations) {
    operation.hidden = !words.every((word) => operation.dataset.op?.includes(word));
    if (!operation.hidden) shown++;
  }
  for (const group of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-group]")))
    group.hidden = !group.querySelector("[data-op]:not([hidden])");
  if (found) found.textContent = words.length ? `${shown} of ${operations.length} operations` : "";
}
search?.addEventListener("input", filter);

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target?.closest("details");
  if (!target || !details) return;
  if (search?.value) { search.value = ""; filter(); }
  details.open = true;
  details.scrollIntoView();
}
addEventListener("hashchange", open);
open();
