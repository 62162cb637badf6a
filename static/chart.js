// @ts-check
// <o-chart>: the values of a chart under the pointer, or step by step with the arrow keys. Words come from the server.

class Chart extends HTMLElement {
  at = -1;
  /** @type {HTMLElement|null} */ plot = null;

  connectedCallback() {
    const { chart, begin, step, steps } = this.dataset;
    [this.begin, this.step, this.count] = [Number(begin), Number(step), Number(steps)];
    this.lines = [.../** @type {NodeListOf<SVGElement>} */ (this.querySelectorAll("[data-words]"))].map(({ dataset }) => {
      const words = (dataset.words ?? "").split("|");
      words.forEach((word, i) => { if (word === "=") words[i] = words[i - 1]; });
      return { name: dataset.line, words };
    });
    const plot = this.plot = /** @type {HTMLElement} */ (this.querySelector(".plot"));
    if (!this.count) return;
    plot.tabIndex = 0;
    const say = { role: "slider", "aria-label": `${chart} over time`, "aria-valuemin": 0, "aria-valuemax": this.count - 1 };
    for (const [name, value] of Object.entries(say)) plot.setAttribute(name, String(value));
    this.show(this.count - 1, false);
    plot.addEventListener("pointermove", (event) => {
      const { left, width } = plot.getBoundingClientRect();
      this.show(Math.floor((event.clientX - left) / width * this.count));
    });
    plot.addEventListener("pointerleave", () => { if (document.activeElement !== plot) this.show(this.at, false); });
    plot.addEventListener("focus", () => this.show(this.at));
    plot.addEventListener("blur", () => this.show(this.at, false));
    plot.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: this.at - 1, ArrowDown: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at + 1,
        PageDown: this.at - 10, PageUp: this.at + 10, Home: 0, End: this.count - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.show(to);
    });
  }

  /** @param {number} step */
  show(step, seen = true) {
    this.at = Math.max(0, Math.min(this.count - 1, step));
    const when = `${new Date(this.begin + this.at * this.step).toISOString().slice(0, 16).replace("T", " ")} UTC`;
    const values = this.lines.filter(({ words }) => words[this.at]).map(({ name, words }) => `${name} ${words[this.at]}`);
    const text = `${when}: ${values.join(", ") || "nothing"}`;
    this.plot?.setAttribute("aria-valuenow", String(this.at));
    this.plot?.setAttribute("aria-valuetext", text);
    const box = /** @type {SVGSVGElement} */ (this.querySelector("svg")).viewBox.baseVal;
    this.querySelector(".cross")?.setAttribute("d", seen ? `M${this.at / this.count * box.width} 0V${box.height}` : "");
    const read = this.querySelector(".read");
    if (read) read.textContent = seen ? text : "";
  }
}

customElements.define("o-chart", Chart);
