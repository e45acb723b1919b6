// The list of jobs, or one of them: status, format, target and jobId in the address say which.
import { ask, askPatiently, isQuiet } from "./api.js";
import { back } from "./connection.js";
import { fill, h, say } from "./dom.js";
import { failed, nothing, waiting } from "./empty.js";
import { follow, isActive } from "./follower.js";
import { jobNode } from "./job.js";
import { JobRow } from "./jobrow.js";
import { address, go } from "./router.js";
import { count, some, stateWord, titled } from "./words.js";

const LIMIT = 20;
const REFRESH_MS = 5000;
const STATES = ["pending,processing", "completed", "failed", "cancelled"];
const TARGETS = ["documents", "entities", "claims", "timeline", "graph", "matrix", "custom"];

export function jobsView(params, signal) {
  if (params.jobId) return jobNode(params, signal);
  const list = new List(params, signal);
  return { title: "Jobs", node: list.node, update: (next) => list.update(next) };
}

class List {
  constructor(params, signal) {
    this.signal = signal;
    this.rows = new Map();
    this.choose = h("form", { class: "filters", "aria-label": "Which jobs", onsubmit: (event) => event.preventDefault() });
    this.holder = h("div", {});
    this.pages = h("nav", { class: "pages", "aria-label": "Pages" });
    this.node = h("div", {}, h("header", { class: "head" }, h("h1", {}, "Jobs"), this.choose), this.holder, this.pages);
    this.show(params);
    this.loadFormats();
    const timer = setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Another filter or page of the same list; one job is another view. */
  update(params) {
    if (params.jobId) return false;
    this.show(params);
    return true;
  }

  show(params) {
    this.place = { status: params.status, format: params.format, target: params.target };
    this.page = Math.max(1, Number.parseInt(params.page ?? "1", 10) || 1);
    this.showFilters();
    fill(this.holder, waiting("Asking for the jobs…"));
    fill(this.pages);
    this.shown = null;
    this.load();
  }

  showFilters() {
    const formats = this.formats ?? [this.place.format].filter(Boolean);
    const made = [
      select(
        "State",
        this.place.status,
        STATES,
        (each) => each.split(",").map(stateWord).join(" or "),
        (status) => this.narrow({ status }),
      ),
      select("Target", this.place.target, TARGETS, titled, (target) => this.narrow({ target })),
      select(
        "Format",
        this.place.format,
        formats,
        (each) => each.toUpperCase(),
        (format) => this.narrow({ format }),
      ),
    ];
    const focused = [...this.choose.querySelectorAll("select")].indexOf(document.activeElement);
    fill(this.choose, made);
    if (focused >= 0) this.choose.querySelectorAll("select")[focused].focus();
  }

  async loadFormats() {
    try {
      this.formats = [...(await ask("/formats", { signal: this.signal })).map((each) => each.format), "zip"];
      this.showFilters();
    } catch {
      // The list tells what is wrong.
    }
  }

  narrow(change) {
    go("jobs", { ...this.place, ...change });
  }

  query() {
    const query = new URLSearchParams({ limit: LIMIT, offset: (this.page - 1) * LIMIT });
    for (const [name, value] of Object.entries(this.place)) {
      if (value) query.set(name, value);
    }
    return `/jobs?${query}`;
  }

  async load() {
    const query = this.query();
    try {
      const answer = await askPatiently(query, { signal: this.signal });
      if (query === this.query()) this.fill(answer, true);
    } catch (problem) {
      if (isQuiet(problem, this.signal) || query !== this.query()) return;
      const all = problem.errors?.length ? [h("a", { href: address("jobs") }, "Show all jobs")] : [];
      const note = failed("The jobs cannot be shown", problem, () => this.load());
      note.lastChild.append(...all);
      fill(this.holder, note);
    }
  }

  /** Look for what others have made or changed; a failure is no news, since the connection tells of itself. */
  async refresh() {
    const query = this.query();
    try {
      const answer = await ask(query, { signal: this.signal });
      if (query === this.query() && this.shown) this.fill(answer, false);
    } catch (problem) {
      if (!problem.passing || this.signal.aborted) return;
      await back();
      if (!this.signal.aborted) this.refresh();
    }
  }

  fill({ jobs, total }, first) {
    if (jobs.length === 0) {
      this.shown = [];
      this.rows.clear();
      fill(this.holder, this.nothingHere(total));
      fill(this.pages);
      return;
    }
    const rows = jobs.map((job) => this.rowOf(job));
    const ids = jobs.map((job) => job.id).join();
    if (ids !== this.shown) {
      fill(
        this.holder,
        h(
          "ul",
          { class: "jobs", "aria-label": "Jobs" },
          rows.map((row) => row.node),
        ),
      );
      this.rows = new Map(jobs.map((job, at) => [job.id, rows[at]]));
      this.showPages(total);
      if (first) say(`${some(total, "job")}.`);
    }
    this.shown = ids;
  }

  rowOf(job) {
    const row = this.rows.get(job.id) ?? new JobRow(job, this.place);
    // What is followed is told sooner than it is listed.
    if (!row.followed || !isActive(job)) row.update(job, this.place);
    if (isActive(job) && !row.followed) {
      row.followed = true;
      follow(
        job,
        (news) => {
          row.followed = isActive(news);
          row.update(news);
        },
        this.signal,
      );
    }
    return row;
  }

  nothingHere(total) {
    if (total > 0)
      return nothing(
        "There are no jobs on this page",
        `There are ${count(total)} before it.`,
        h("a", { href: address("jobs", this.place) }, "Go to the first page"),
      );
    if (Object.values(this.place).some(Boolean))
      return nothing(
        "No job is like this",
        "None matches all of what is chosen above.",
        h("a", { href: address("jobs") }, "Show all jobs"),
      );
    return nothing(
      "No exports yet",
      "What you export is listed here, with its progress and its file.",
      h("a", { class: "button primary", href: address("") }, "Make the first one"),
    );
  }

  showPages(total) {
    const last = Math.ceil(total / LIMIT);
    if (last <= 1) return fill(this.pages);
    const to = (page, text, there) =>
      there
        ? h("a", { href: address("jobs", { ...this.place, page: page > 1 ? String(page) : "" }) }, text)
        : h("span", { class: "quiet" }, text);
    return fill(
      this.pages,
      to(this.page - 1, "Newer", this.page > 1),
      h("span", {}, `Page ${count(this.page)} of ${count(last)}`),
      to(this.page + 1, "Older", this.page < last),
    );
  }
}

function select(name, chosen, choices, worded, choose) {
  const known = !chosen || choices.includes(chosen) ? choices : [...choices, chosen];
  const input = h(
    "select",
    { onchange: () => choose(input.value) },
    h("option", { value: "" }, "All"),
    known.map((each) => h("option", { value: each }, worded(each))),
  );
  input.value = chosen ?? "";
  return h("label", {}, h("span", {}, name), input);
}
