// What has happened to a job, in order, with the attempts that came to nothing.
import { now } from "./clock.js";
import { h } from "./dom.js";
import { instant, stateWord } from "./words.js";

export function courseNode(job) {
  const history = job.metadata.history ?? [];
  const happened = [[job.created_at, `Asked for by ${job.created_by}`]];
  for (const each of history) {
    happened.push([each.started_at, `Attempt ${each.attempt} began${each.runner ? ` on ${each.runner}` : ""}`]);
    happened.push([each.ended_at, `Attempt ${each.attempt} came to nothing: ${each.reason}`]);
  }
  if (job.started_at) happened.push([job.started_at, history.length ? "The last attempt began" : "Began"]);
  if (job.completed_at) happened.push([job.completed_at, ended(job)]);
  if (job.status === "completed" && job.expires_at) {
    const past = new Date(job.expires_at) <= now();
    happened.push([job.expires_at, past ? "The file's time was over" : "The file will be removed"]);
  }
  return h(
    "section",
    {},
    h("h2", {}, "Events"),
    h(
      "ol",
      { class: "course" },
      happened
        .filter(([when]) => when)
        .map(([when, what]) => h("li", {}, h("time", { datetime: when }, instant(when)), h("span", {}, what))),
    ),
  );
}

const ended = (job) => (job.status === "failed" && job.error ? `Failed: ${job.error}` : stateWord(job.status));
