// @ts-check
// <o-log>: a log that grows. Rows come rendered from the server, numbered, so that no line is lost or doubled.
import { parse } from "./live.js";

const BLOCK = 500, MOST = 10000;

class Log extends HTMLElement {
  /** @type {HTMLElement} */ box;
  /** @type {HTMLElement} */ jump;
  /** @type {HTMLElement|null} */ note;
  /** @type {EventSource|null} */ source = null;
  paused = false;

  connectedCallback() {
    this.box = this.querySelector(".log");
    this.jump = this.querySelector(".jump");
    this.note = this.querySelector(".lognote");
    this.seq = Number(this.dataset.after);
    this.unseen = 0;
    this.growing = Boolean(this.dataset.stream);
    this.follow = !location.hash.startsWith("#L");
    this.watch();
    if (this.follow) this.toEnd();
    this.querySelector("[data-copy-log]")?.addEventListener("click", (event) => {
      const button = /** @type {HTMLElement} */ (event.currentTarget);
      button.dataset.copy = this.text();
    }, { capture: true });
    const pause = this.querySelector("[data-pause]");
    pause?.addEventListener("click", () => {
      this.paused = !this.paused;
      pause.querySelector(".label").textContent = this.paused ? "Go on" : "Pause";
      this.say(this.paused ? "Paused. Nothing is lost." : "");
      if (this.paused) this.close(); else this.sync();
    });
    document.addEventListener("visibilitychange", this.sync = () => {
      if (document.hidden) this.close(); else if (this.wants() && !this.source) this.open();
    });
    this.sync();
  }

  disconnectedCallback() { document.removeEventListener("visibilitychange", this.sync); this.close(); }

  // ---- Stream: only while somebody can see it ----

  wants() { return this.growing && !this.paused; }

  open() {
    const url = new URL(this.dataset.stream ?? "", location.href);
    url.searchParams.set("after", String(this.seq));
    this.source = new EventSource(url);
    this.source.onmessage = (event) => this.add(JSON.parse(event.data));
    this.source.onopen = () => this.say("");
    this.source.onerror = () => { // opened anew rather than left to the browser, so that it goes on after the last line
      this.close();
      this.say("Reconnecting, nothing is lost.");
      setTimeout(() => { if (this.wants() && !this.source && !document.hidden) this.open(); }, 1500);
    };
    this.source.addEventListener("end", () => { this.growing = false; this.close(); this.say(""); });
  }

  close() { this.source?.close(); this.source = null; }
  say(text) { if (this.note) this.note.textContent = text; }

  /** @param {{to: number, html: string}} frame */
  add({ to, html }) {
    if (to <= this.seq) return; // sent again after a reconnect
    // A log that is filtered has gaps in its numbers.
    const rows = [...parse(html).children].filter((row) => Number(row.id.slice(1)) > this.seq);
    this.seq = to;
    let list = this.box.querySelector("ol:last-of-type");
    for (const row of rows) {
      if (!list || list.childElementCount >= BLOCK) {
        list = document.createElement("ol");
        this.box.append(list);
      }
      list.append(row);
    }
    this.querySelector(".logempty")?.remove();
    this.trim();
    if (this.follow) this.toEnd();
    else { this.unseen += rows.length; this.offer(); }
  }

  /** Drops the oldest block; what somebody reads further down stays where it is. */
  trim() {
    const lists = this.box.querySelectorAll("ol");
    if (lists.length * BLOCK <= MOST) return;
    const height = lists[0].offsetHeight;
    lists[0].remove();
    const earlier = /** @type {HTMLElement|null} */ (this.querySelector(".earlier"));
    if (earlier) earlier.hidden = false;
    if (!this.follow) this.last = this.box.scrollTop -= height;
  }

  // ---- Follow: switched off only by a person moving up, never by our own scrolling ----

  watch() {
    this.last = 0;
    this.box.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.box;
      if (scrollTop < this.last - 2) this.follow = false;
      if (scrollTop + clientHeight >= scrollHeight - 24) this.followOn();
      this.last = scrollTop;
    }, { passive: true });
    // With many lines a second the End key alone never reaches the moving end.
    this.box.addEventListener("keydown", (event) => { if (event.key === "End") { event.preventDefault(); this.toEnd(); } });
    this.jump.addEventListener("click", () => { this.toEnd(); this.box.focus({ preventScroll: true }); });
  }

  toEnd() { this.box.scrollTop = this.box.scrollHeight; this.last = this.box.scrollTop; this.followOn(); }
  followOn() { this.follow = true; this.unseen = 0; this.offer(); }
  offer() {
    this.jump.hidden = this.unseen === 0;
    const count = this.jump.querySelector(".count");
    if (count && this.unseen) count.textContent = `${this.unseen} new ${this.unseen === 1 ? "line" : "lines"}. Jump to end`;
  }

  /** The selection, or all rows that are shown, without numbers and times. */
  text() {
    const selected = getSelection();
    if (selected && !selected.isCollapsed && this.box.contains(selected.anchorNode)) return selected.toString();
    return [...this.box.querySelectorAll("li > span")].map((row) => row.textContent).join("\n") + "\n";
  }
}
customElements.define("o-log", Log);
