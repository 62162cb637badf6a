// @ts-check
// Forms and copy buttons. Every form also works without this file.

/** @param {string} selector @param {ParentNode} within @returns {any} */
const one = (selector, within = document) => within.querySelector(selector);
/** @param {string} selector @returns {any[]} */
const every = (selector) => [...document.querySelectorAll(selector)];

// What needs script is hidden in the page and appears here.
const unhide = () => every("[data-script]").forEach((control) => { control.hidden = false; });
unhide();
addEventListener("orbitra:refreshed", unhide);

// ---- Submit: busy after 150 ms, a second press does nothing ----

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => (event.submitter ?? one("button", form))?.setAttribute("aria-busy", "true"), 150);
});
// The back button may bring a page from memory, with its buttons still busy.
addEventListener("pageshow", () => {
  every("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
  every("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
});

// ---- Copy: the clipboard, then the old way, then the selection and a hint. Never silently nothing ----

async function copy(text, near) {
  try { await navigator.clipboard.writeText(text); return "Copied"; } catch { /* not on plain HTTP, or refused */ }
  const area = document.createElement("textarea");
  area.className = "sr";
  area.value = text;
  near.after(area);
  area.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { /* told below */ }
  if (done) { area.remove(); near.focus(); return "Copied"; }
  setTimeout(() => area.remove(), 10000);
  return "Press Ctrl C";
}

document.addEventListener("click", async (event) => {
  const button = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest("[data-copy]"));
  if (!button) return;
  const from = button.dataset.from && document.getElementById(button.dataset.from);
  const said = await copy((from ? from.textContent : button.dataset.copy) ?? "", button);
  const announcer = one("#announcer");
  if (announcer) announcer.textContent = said;
  const label = one(".label", button);
  const before = label ? label.textContent : button.title;
  const write = (text) => { if (label) label.textContent = text; else button.title = text; };
  if (button.dataset.copied) return;
  button.dataset.copied = "yes";
  write(said);
  setTimeout(() => { write(before); delete button.dataset.copied; }, 2000);
});

// ---- Set-up: the code travels behind the #, which a browser never sends ----

const code = one("#code");
if (code && location.hash.length > 1) {
  if (!code.value) code.value = decodeURIComponent(location.hash.slice(1)).slice(0, 40);
  history.replaceState(null, "", location.pathname);
  one("#email")?.focus();
}

// ---- A value that was revealed is covered again after half a minute ----

every("[data-mask]").forEach((value) => setTimeout(() => { value.textContent = "covered again"; value.classList.add("muted"); }, 30000));

// ---- Passwords ----

document.addEventListener("click", (event) => {
  const button = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest("[data-show]"));
  const field = button && one("#" + button.dataset.show);
  if (!field) return;
  const hidden = field.type === "password";
  field.type = hidden ? "text" : "password";
  button.setAttribute("aria-pressed", String(hidden));
});

// ---- Hints while typing: counts, and the name a project gets ----

/** @param {string} url */
function suggest(url) {
  const last = url.trim().replace(/[?#].*$/, "").replace(/\/+$/, "").replace(/\.git$/i, "").split(/[/:]/).pop() ?? "";
  return last.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^[^a-z]+/, "").slice(0, 40).replace(/-+$/, "");
}

/** Names in a pasted .env text. @param {string} text */
const names = (text) => [...text.matchAll(/^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=/gm)].map((found) => found[1]);

function hints() {
  const password = one("[data-count]"), variables = one("[data-env]"), name = one("[data-suggest]");
  if (password) {
    const enough = Number(password.dataset.count), length = [...password.value].length;
    one("#password-hint").textContent = length && length < enough ? `${length} of ${enough} characters.` : `${enough} characters or more.`;
  }
  if (variables) {
    const found = [...new Set(names(variables.value))];
    one("#env-found").textContent = found.length === 0 ? "" : `${found.length} found: ${found.slice(0, 6).join(", ")}${found.length > 6 ? ", ..." : ""}`;
  }
  if (name) {
    const chosen = suggest(name.value) || suggest(one("#git_url").value);
    name.placeholder = suggest(one("#git_url").value) || name.dataset.suggest;
    const host = one("#name-host");
    if (host) host.textContent = chosen || name.dataset.suggest;
  }
}
document.addEventListener("input", hints);
hints();
