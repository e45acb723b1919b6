// A job as one line of the list. It is kept while the list is asked for again, so that focus and bar stay where they are.
import { mainAction, otherActions } from "./actions.js";
import { fill, h } from "./dom.js";
import { isExpired } from "./files.js";
import { isActive } from "./follower.js";
import { Progress, sign } from "./progress.js";
import { address } from "./router.js";
import { ago, bytes, jobTitle, moment, records, some, stateWord, took } from "./words.js";

export class JobRow {
  constructor(job, place) {
    this.when = h("time", { datetime: job.created_at, title: moment(job.created_at) });
    this.body = h("div", { class: "state" });
    this.actions = h("div", { class: "row" });
    this.title = h("a", {}, jobTitle(job));
    this.node = h("li", { class: "job", "data-job": job.id }, h("h2", {}, this.title), this.body, this.when, this.actions);
    this.update(job, place);
  }

  /** `place` is where the list is: its filters come along to the job and back. */
  update(job, place = this.place) {
    this.place = place;
    this.title.href = address("jobs", { ...place, jobId: job.id });
    this.when.textContent = ago(job.created_at);
    const state = `${job.status} ${isActive(job) || isExpired(job)}`;
    if (state !== this.state) this.settle(job);
    else if (this.progress) this.progress.update(job);
    this.state = state;
    this.job = job;
  }

  /** The job has come into another state: what can be done with it is another. */
  settle(job) {
    const focused = this.actions.contains(document.activeElement);
    this.node.dataset.status = job.status;
    this.progress = isActive(job) ? new Progress(job) : null;
    const word = h("p", { class: "word" }, sign(job.status), stateWord(job.status));
    fill(this.body, word, this.progress ? this.progress.node : h("p", { class: "told" }, told(job)));
    const main = mainAction(job);
    fill(this.actions, main, more(job));
    if (focused) (main ?? this.title).focus();
  }
}

function told(job) {
  if (job.status === "failed") return job.error ?? "No reason is known.";
  if (job.status === "cancelled") return "Nothing of it was kept.";
  if (job.status !== "completed") return "It is not there any more.";
  const left = job.metadata.completeness?.skipped ?? 0;
  const parts = [records(job.record_count), bytes(job.file_size ?? 0), took(job.processing_time_ms)];
  const lost = job.metadata.completeness?.failed_parts?.length ?? 0;
  return [
    parts.join(" · "),
    lost ? h("span", { class: "left" }, ` · ${some(lost, "part")} failed`) : null,
    left ? h("span", { class: "left" }, ` · ${records(left)} left out`) : null,
    isExpired(job) ? h("span", { class: "left" }, ` · its file was kept until ${moment(job.expires_at)}`) : null,
  ];
}

/** The rarer actions, folded away. */
function more(job) {
  const others = otherActions(job).filter(Boolean);
  if (others.length === 0) return null;
  const fold = h(
    "details",
    { class: "more" },
    h("summary", { "aria-label": `More for ${jobTitle(job)}` }, "More"),
    h("div", {}, others),
  );
  fold.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !fold.open) return;
    fold.open = false;
    fold.firstChild.focus();
  });
  fold.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !fold.contains(event.relatedTarget)) fold.open = false;
  });
  fold.addEventListener("toggle", () => {
    if (!fold.open) return;
    const away = (event) => {
      if (fold.contains(event.target)) return;
      fold.open = false;
    };
    document.addEventListener("pointerdown", away);
    fold.addEventListener("toggle", () => document.removeEventListener("pointerdown", away), { once: true });
  });
  fold.lastChild.addEventListener("click", () => {
    fold.open = false;
  });
  return fold;
}
