// @ts-check
// Relative times every 30 s, running times and waits every second. The absolute time is always in the page already.

const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const units = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]]);

function relative() {
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll("time[data-ago]"))) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const unit = units.find(([, size]) => Math.abs(seconds) >= size);
    time.dataset.ago = unit ? ago.format(Math.trunc(seconds / unit[1]), unit[0]) : "just now";
  }
}

const started = new WeakMap();
/** Counts from what the server said, so that a wrong clock here does no harm. */
function running() {
  const now = performance.now();
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-elapsed],[data-wait]"))) {
    if (!started.has(element)) started.set(element, now);
    const passed = Math.floor((now - started.get(element)) / 1000);
    if (element.dataset.wait) { element.textContent = String(Math.max(0, Number(element.dataset.wait) - passed)); continue; }
    const seconds = Math.floor(Number(element.dataset.elapsed) / 1000) + passed;
    const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (element instanceof HTMLProgressElement) element.value = seconds;
    else if (element.dataset.title) document.title = element.dataset.title.replace("{}", text);
    else element.textContent = text;
  }
}

relative();
running();
setInterval(relative, 30000);
setInterval(running, 1000);
addEventListener("orbitra:refreshed", () => { relative(); running(); });
