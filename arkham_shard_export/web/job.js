// One job: how far it is, and once it has ended the account of every record, with what can be done with it.
import { accountNode, proofNode } from "./account.js";
import { mainAction, otherActions } from "./actions.js";
import { askPatiently, isQuiet } from "./api.js";
import { now } from "./clock.js";
import { courseNode } from "./course.js";
import { facts, fill, focusOn, h, say } from "./dom.js";
import { failed, nothing, waiting } from "./empty.js";
import { isExpired } from "./files.js";
import { follow, isActive } from "./follower.js";
import { allowNotifications } from "./watch.js";
import { notifyEnd } from "./preferences.js";
import { Parts } from "./parts.js";
import { Progress, sign } from "./progress.js";
import { address } from "./router.js";
import { bodyOf } from "./curl.js";
import { ago, bytes, jobTitle, moment, some, stateWord, titled, took } from "./words.js";

export function jobNode(params, signal) {
  const { jobId, ...place } = params;
  const page = new JobPage(jobId, place, signal);
  return { title: () => page.title, node: page.node };
}

class JobPage {
  constructor(id, place, signal) {
    this.id = id;
    this.signal = signal;
    this.title = "Job";
    this.quarter = 0;
    this.heading = h("h1", { tabindex: -1 }, "Export");
    this.body = h("div", {}, waiting("Asking for the job…"));
    this.node = h(
      "article",
      { class: "one" },
      h("p", { class: "way" }, h("a", { href: address("jobs", place) }, "← All jobs")),
      this.heading,
      this.body,
    );
    this.load();
  }

  async load() {
    try {
      const job = await askPatiently(`/jobs/${encodeURIComponent(this.id)}`, { signal: this.signal });
      this.title = jobTitle(job);
      this.heading.textContent = this.title;
      this.show(job);
      if (isActive(job)) follow(job, (news) => this.show(news), this.signal);
      else this.expire(job);
    } catch (problem) {
      if (isQuiet(problem, this.signal)) return;
      const missing = problem.status === 404;
      fill(
        this.body,
        missing
          ? nothing(
              "There is no such job",
              "It was removed, or it is not yours to see.",
              h("a", { href: address("jobs") }, "Show all jobs"),
            )
          : failed("The job cannot be shown", problem, () => this.load()),
      );
    }
  }

  /** Show it again when its file is not kept any longer. */
  expire(job) {
    if (!job.expires_at || isExpired(job)) return;
    const left = new Date(job.expires_at) - now();
    if (left > 2 ** 31 - 1) return;
    const timer = setTimeout(() => this.render(job), left + 500);
    this.signal.addEventListener("abort", () => clearTimeout(timer));
  }

  show(job) {
    const before = this.status;
    this.status = job.status;
    if (this.progress && isActive(job)) {
      this.progress.update(job);
      this.parts?.update(job);
      if (job.status !== before) fill(this.word, wordOf(job));
    } else {
      this.render(job);
    }
    if (before && before !== job.status) {
      say(`${this.title}: ${stateWord(job.status).toLowerCase()}.`);
      if (!isActive(job)) this.expire(job);
    }
    this.tellShare(isActive(job) ? (job.progress?.percent ?? null) : null);
  }

  /** In the title, for whoever looks at another tab, and read out at each quarter. */
  tellShare(percent) {
    const share = percent === null ? "" : `${Math.floor(percent)} % · `;
    document.title = `${share}${this.title} · Export`;
    const quarter = Math.floor((percent ?? 0) / 25);
    if (quarter > this.quarter && quarter < 4) say(`${quarter * 25} %`);
    this.quarter = quarter;
  }

  render(job) {
    const focused = this.body.contains(document.activeElement);
    this.progress = isActive(job) ? new Progress(job) : null;
    this.word = h("p", { class: "word standing" }, wordOf(job));
    this.parts = job.parts ? new Parts(job) : null;
    fill(this.body, this.word, this.progress?.node, outcome(job), actions(job), this.parts?.node, details(job));
    // What had the focus is gone: it goes to what comes next.
    if (focused) (this.body.querySelector(".actions button.primary") ?? this.heading).focus();
  }
}

const wordOf = (job) => [sign(job.status), h("span", {}, stateWord(job.status))];

function outcome(job) {
  if (job.status === "failed")
    return h(
      "div",
      { class: "notice bad" },
      h("p", {}, job.error ?? "No reason is known."),
      h("p", { class: "help" }, "No file was left behind. When the reason is mended, run it again."),
    );
  if (job.status === "cancelled")
    return h("p", { class: "lead" }, "It was stopped before it was done, and nothing of it was kept.");
  if (job.status === "gone") return h("p", { class: "lead" }, "The job was removed while it was shown here.");
  if (job.status !== "completed") return null;
  const line = `${job.metadata.file_name ?? "The file"} · ${bytes(job.file_size ?? 0)}`;
  if (isExpired(job))
    return h(
      "div",
      { class: "notice" },
      h("p", {}, `The file was kept until ${moment(job.expires_at)}. Run the export again for a new one.`),
    );
  const kept = job.expires_at
    ? `Kept until ${moment(job.expires_at)}, ${ago(job.expires_at)}.`
    : "Kept until somebody removes it.";
  return h("div", { class: "file" }, h("p", {}, line), h("p", { class: "help" }, kept));
}

function actions(job) {
  const wish = isActive(job) && "Notification" in window && !notifyEnd.get() ? notifyWish() : null;
  return h("div", { class: "row actions" }, mainAction(job), otherActions(job), wish);
}

/** The browser is asked only when this is clicked. */
function notifyWish() {
  const made = h(
    "button",
    {
      type: "button",
      onclick: async () => {
        const granted = await allowNotifications();
        made.replaceWith(
          h(
            "span",
            { class: "help", role: "status" },
            granted ? "You will be told when it ends." : "The browser does not allow it.",
          ),
        );
      },
    },
    "Notify me when it ends",
  );
  return made;
}

function details(job) {
  return h(
    "div",
    { class: "details" },
    job.status === "completed" ? accountNode(job) : null,
    askedNode(job),
    isActive(job) ? null : courseNode(job),
    job.status === "completed" ? proofNode(job) : null,
  );
}

function askedNode(job) {
  const { filters = {}, options = {} } = bodyOf(job);
  const pairs = [
    ...Object.entries(filters).map(([name, value]) => [titled(name), shown(value)]),
    ...Object.entries(options).map(([name, value]) => [titled(name), shown(value)]),
  ];
  return h(
    "section",
    {},
    h("h2", {}, "Asked for"),
    facts([
      ["Target", job.parts ? `${some(job.parts.length, "part")}, over one state of the records` : titled(job.target)],
      ["When a part fails", job.parts && (job.continue_on_error ? "the others go on" : "the whole fails")],
      ["Template", fromTemplate(job.metadata.template)],
      ["Schedule", fromSchedule(job.metadata.schedule)],
      ["Format", job.format.toUpperCase()],
      ...pairs,
      ["By", job.created_by],
      ["Took", job.status === "completed" ? took(job.processing_time_ms) : null],
    ]),
    pairs.length || job.parts ? null : h("p", { class: "help" }, "All records, and every option as usual."),
  );
}

const fromTemplate = (made) =>
  made && [h("a", { href: address("templates") }, made.name), `, version ${made.version}`];

const fromSchedule = (made) =>
  made && [
    h("a", { href: address("schedules", { scheduleId: made.id }) }, made.name),
    made.due ? `, due ${moment(made.due)}` : ", run by hand",
  ];

export function shown(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
