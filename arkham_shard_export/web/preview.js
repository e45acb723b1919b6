// The first records of what is being chosen, and how much it will be. It follows each change, a moment later.
import { askPatiently, isQuiet } from "./api.js";
import { fill, h, table } from "./dom.js";
import { about, bytes, count, records } from "./words.js";

const SHOWN = 8;
const PAUSE_MS = 300;
const MOST_TEXT = 160;

export class Preview {
  /** `heard` gets the preview, or the problem that stands in its way, of the latest request. */
  constructor(signal, heard) {
    this.signal = signal;
    this.heard = heard;
    this.timer = null;
    this.asking = new AbortController();
    this.estimate = h("dl", { class: "estimate", "aria-label": "Estimate" }, estimates(null));
    this.sheet = h("div", { class: "sheet" });
    signal.addEventListener("abort", () => this.stop());
  }

  stop() {
    clearTimeout(this.timer);
    this.asking.abort();
  }

  show(body, now = false) {
    this.stop();
    this.asking = new AbortController();
    this.timer = setTimeout(() => this.ask(body, this.asking.signal), now ? 0 : PAUSE_MS);
    this.sheet.setAttribute("aria-busy", "true");
  }

  async ask(body, signal) {
    try {
      const preview = await askPatiently("/preview", { method: "POST", body: { ...body, max_preview_records: SHOWN }, signal });
      fill(this.estimate, estimates(preview));
      fill(this.sheet, sheetOf(preview));
      this.heard(preview, null);
    } catch (problem) {
      if (isQuiet(problem, signal)) return;
      fill(this.estimate, estimates(null));
      fill(
        this.sheet,
        h(
          "p",
          { class: "empty" },
          problem.errors.length ? "There is a preview as soon as the request is right." : `No preview: ${problem.message}`,
        ),
      );
      this.heard(null, problem);
    }
    this.sheet.removeAttribute("aria-busy");
  }
}

function estimates(preview) {
  const seconds = preview?.estimated_seconds ?? null;
  const shown = [
    ["Records", preview ? count(preview.estimated_record_count) : "–"],
    ["Size, by estimate", preview ? bytes(preview.estimated_file_size_bytes) : "–"],
    ["Time, by estimate", preview ? (seconds === null ? "not known yet" : about(seconds)) : "–"],
  ];
  return shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}

function sheetOf({ preview_records: rows, estimated_record_count: total }) {
  if (total === 0) return h("p", { class: "empty" }, "No record matches. The file would say so, and hold none.");
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) =>
    h(
      "tr",
      {},
      names.map((name) => cell(row[name])),
    ),
  );
  const more = total > rows.length ? `The first ${count(rows.length)} of ${records(total)}.` : `All ${records(total)}.`;
  return [table("First records", names, lines, { class: "records" }), h("p", { class: "help" }, more)];
}

function cell(value) {
  if (value === null || value === undefined) return h("td", { class: "nothing" }, "–");
  if (typeof value === "number") return h("td", { class: "number" }, String(value));
  return h("td", {}, h("div", {}, shortened(text(value))));
}

function text(value) {
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    return typeof value[0] === "object" && value[0] !== null ? `${count(value.length)} × {…}` : value.join(", ");
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const shortened = (value) => (value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value);
