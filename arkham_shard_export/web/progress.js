// How far a running job is: a bar, its rate, and the time that is left.
import { h, s } from "./dom.js";
import { about, bytes, count, jobTitle, phaseWord } from "./words.js";

const WINDOW_MS = 6000;

export class Progress {
  constructor(job) {
    this.samples = [];
    this.bar = h("progress", { max: 100, "aria-label": jobTitle(job) });
    this.where = h("span", {});
    this.pace = h("span", { class: "quiet" });
    this.node = h("div", { class: "progress" }, this.bar, h("p", {}, this.where, this.pace));
    this.update(job);
  }

  update({ status, progress }) {
    this.bar.hidden = status === "pending";
    if (status === "pending") {
      this.samples = [];
      this.where.textContent = "for a free worker";
      this.pace.textContent = "";
      return;
    }
    const {
      phase = "starting",
      done = 0,
      expected = null,
      percent = null,
      bytes: size = 0,
      seconds_left: left = null,
    } = progress ?? {};
    if (percent === null) this.bar.removeAttribute("value");
    else this.bar.value = percent;
    const share = percent === null ? "" : ` · ${Math.floor(percent)} %`;
    this.where.textContent = `${phaseWord(phase)}${expected ? ` ${count(done)} of ${count(expected)} records` : ""}${share}`;
    const rate = phase === "writing" ? this.rate(done) : null;
    this.pace.textContent = [rate && `${count(rate)} records/s`, size && bytes(size), left !== null && `${about(left)} left`]
      .filter(Boolean)
      .join(" · ");
  }

  /** Records a second, of late. A job that began again begins to be measured again. */
  rate(done) {
    const now = performance.now();
    if (this.samples.length && done < this.samples.at(-1).done) this.samples = [];
    this.samples = [...this.samples.filter((each) => now - each.now < WINDOW_MS), { now, done }];
    const first = this.samples[0];
    return now - first.now < 400 ? null : Math.round((done - first.done) / ((now - first.now) / 1000));
  }
}

const SIGNS = {
  pending: ["circle", { cx: 8, cy: 8, r: 5.5, class: "hollow" }],
  processing: ["path", { d: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5", class: "hollow turning" }],
  completed: ["path", { d: "M3 8.5l3.5 3.5L13 4.5", class: "hollow" }],
  failed: ["path", { d: "M4 4l8 8M12 4l-8 8", class: "hollow" }],
  cancelled: ["path", { d: "M3.5 8h9", class: "hollow" }],
};

/** The sign of a state; its word stands beside it. */
export function sign(status) {
  const [name, attributes] = SIGNS[status] ?? SIGNS.cancelled;
  return s("svg", { viewBox: "0 0 16 16", class: `sign ${status}`, "aria-hidden": "true" }, s(name, attributes));
}
