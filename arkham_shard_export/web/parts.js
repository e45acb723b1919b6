// The parts of a batch: how far each is, and what has become of it.
import { fill, h, table } from "./dom.js";
import { sign } from "./progress.js";
import { count, jobTitle, phaseWord, records, stateWord } from "./words.js";

export class Parts {
  constructor(job) {
    this.cells = job.parts.map(() => ({ state: h("td", {}), records: h("td", { class: "number" }), outcome: h("td", {}) }));
    const rows = job.parts.map((part, at) => {
      const { state, records: number, outcome } = this.cells[at];
      return h("tr", {}, h("th", { scope: "row" }, `${at + 1}. ${part.name ?? jobTitle(part)}`), state, number, outcome);
    });
    this.node = h(
      "section",
      { class: "parts" },
      h("h2", {}, "Parts"),
      table("Parts", ["Part", "State", { text: "Records", number: true }, "File"], rows),
    );
    this.update(job);
  }

  update({ parts, progress }) {
    parts.forEach((part, at) => {
      const now = progress?.parts?.[at] ?? part.progress;
      const status = now?.status ?? part.status;
      const { state, records: number, outcome } = this.cells[at];
      fill(state, h("span", { class: "word" }, sign(status), stateWord(status)));
      fill(number, status === "processing" && now ? course(now) : status === "pending" ? "–" : count(part.record_count));
      fill(outcome, told(part));
    });
  }
}

function course({ phase, done, expected, percent }) {
  if (!done && phase !== "writing") return phaseWord(phase || "starting");
  return `${count(done)}${expected === null ? "" : ` of ${count(expected)}`}${percent === null ? "" : ` · ${Math.floor(percent)} %`}`;
}

function told(part) {
  if (part.error) return h("span", { class: "problem" }, part.error);
  const left = part.skipped ? h("span", { class: "left" }, ` · ${records(part.skipped)} left out`) : null;
  return [
    part.file,
    left,
    part.template ? h("span", { class: "quiet" }, ` · template ${part.template.name}, version ${part.template.version}`) : null,
  ];
}
