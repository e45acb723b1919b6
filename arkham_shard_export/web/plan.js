// When something is due: the plan in words, the controls that make one, and the times that follow from it.
import { ask, isQuiet } from "./api.js";
import { fill, fresh, h } from "./dom.js";
import { Line } from "./fields.js";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const short = (day) => day.slice(0, 3).toUpperCase();
const PAUSE_MS = 300;

/** What stands behind the time of day in the expression, and its words. */
const DAILY = new Map([
  ["* * *", "Every day"],
  ["* * MON-FRI", "Every weekday, Monday to Friday"],
  ...DAYS.map((day) => [`* * ${short(day)}`, `Every ${day}`]),
  ["1 * *", "On the first day of each month"],
  ["L * *", "On the last day of each month"],
]);
const UNITS = { m: "minute", h: "hour", d: "day", w: "week" };

/** A plan in words; one that has none is shown as the expression it is. */
export function planWords({ cron, every }) {
  if (every) {
    const [, number, unit] = /^(\d+)(\w)$/.exec(every);
    return number === "1" ? `Every ${UNITS[unit]}` : `Every ${number} ${UNITS[unit]}s`;
  }
  const [, minute, hour, days] = /^(\d+) (\d+) (.*)$/.exec(cron) ?? [];
  if (DAILY.has(days)) return `${DAILY.get(days)} at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  return h("code", {}, cron);
}

/** A due time by the clocks of the schedule's zone. */
export const due = (iso, zone) =>
  new Intl.DateTimeFormat(undefined, {
    timeZone: zone,
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  }).format(new Date(iso));

export const dueList = (runs, zone) =>
  h(
    "ol",
    { class: "due" },
    runs.map((each) => h("li", {}, h("time", { datetime: each }, due(each, zone)))),
  );

const own = { EVERY: "every", CRON: "cron" };

/** Asks for a plan, and shows the next times while it is changed. */
export class PlanFields {
  constructor() {
    this.at = "07:00";
    this.values = { every: "12h", cron: "*/30 8-17 * * MON-FRI", time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone };
    const id = fresh("field");
    this.days = h("select", { id, onchange: () => this.show() }, [
      ...[...DAILY].map(([value, words]) => h("option", { value }, words)),
      h("option", { value: own.EVERY }, "Again after an interval"),
      h("option", { value: own.CRON }, "A cron expression"),
    ]);
    this.days.value = "* * MON";
    this.time = this.line("at", "By the clocks of the time zone.", "time", this.at, (value) => {
      this.at = value;
    });
    this.every = this.line("every", "Such as 30m, 12h, 1d or 2w.", "text", this.values.every);
    this.cron = this.line("cron", "Minute, hour, day of month, month, day of week.", "text", this.values.cron);
    this.zone = this.line("time_zone", "A name such as Europe/Berlin.", "text", this.values.time_zone);
    this.next = h("div", { class: "next", role: "status" });
    this.node = h(
      "div",
      { class: "plan" },
      h("div", { class: "field" }, h("label", { for: id }, "When"), this.days),
      [this.time, this.every, this.cron, this.zone].map((each) => each.node),
      this.next,
    );
    this.show();
  }

  line(name, description, type, value, keep) {
    const changed = (text) => {
      if (keep) keep(text);
      else this.values[name] = text ?? "";
      this.show();
    };
    return new Line(`plan.${name}`, { description }, value, changed, type);
  }

  plan() {
    const { every, cron, time_zone } = this.values;
    if (this.days.value === own.EVERY) return { every, time_zone };
    if (this.days.value === own.CRON) return { cron, time_zone };
    const [hour, minute] = (this.at ?? "").split(":").map(Number);
    return { cron: `${minute || 0} ${hour || 0} ${this.days.value}`, time_zone };
  }

  show() {
    const chosen = this.days.value;
    this.every.node.hidden = chosen !== own.EVERY;
    this.cron.node.hidden = chosen !== own.CRON;
    this.time.node.hidden = chosen === own.EVERY || chosen === own.CRON;
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = new AbortController();
    this.timer = setTimeout(() => this.ask(this.asking.signal), PAUSE_MS);
  }

  async ask(signal) {
    const body = this.plan();
    try {
      const { next_runs: runs, time_zone: zone } = await ask("/schedules/preview", { method: "POST", body, signal });
      this.tell(null);
      fill(this.next, h("h3", {}, "Next"), runs.length ? dueList(runs, zone) : h("p", {}, "It is never due."));
    } catch (problem) {
      if (isQuiet(problem, signal)) return;
      const named = this.tell(problem);
      fill(this.next, named ? null : h("p", { class: "problem" }, problem.message));
    }
  }

  /** Each problem at its control; true where one of them is named. */
  tell(problem) {
    const errors = new Map((problem?.errors ?? []).map((each) => [each.field, each.message]));
    return ["every", "cron", "time_zone"].filter((name) => {
      const field = name === "time_zone" ? this.zone : this[name];
      return field.problem(errors.get(name) ?? null);
    }).length > 0;
  }
}
