// The schedules: what is made again and when; or one of them with its runs, where the address names it.
import { button } from "./actions.js";
import { ask, askPatiently, isQuiet } from "./api.js";
import { facts, fill, focusOn, h, table } from "./dom.js";
import { failed, nothing, waiting } from "./empty.js";
import { download, told } from "./files.js";
import { openForm } from "./form.js";
import { listView } from "./list.js";
import { due, dueList, planWords } from "./plan.js";
import { address, go } from "./router.js";
import { watch } from "./watch.js";
import { count, jobTitle, moment, some, stateWord, titled } from "./words.js";

const RUNS = 50;
const STATES = { active: "Active", paused: "Paused", ended: "Ended" };
const BY_HAND = "It was paused by hand.";

export function schedulesView({ scheduleId }, signal) {
  if (scheduleId) return oneView(scheduleId, signal);
  const none = () =>
    nothing("No schedules yet", "New can have what is chosen made again and again.", h("a", { href: address("") }, "Make a new export"));
  const lead = "Exports that are made again and again, by a plan.";
  return listView({ title: "Schedules", lead, name: "schedules", kind: "schedule", entry, none }, signal);
}

function entry(schedule, again) {
  const { id, name } = schedule;
  return h(
    "li",
    { class: "format-entry", "data-schedule": id },
    h("h2", {}, h("a", { href: address("schedules", { scheduleId: id }) }, name), h("span", { class: "extension" }, STATES[schedule.state])),
    h("div", {}, pausedItself(schedule), facts(account(schedule))),
    actions(schedule, () => again(`[data-schedule="${id}"] button`), () => again(".entries a")),
  );
}

function account({ request, next_runs: next, time_zone: zone, last_run: last, failures, ...plan }) {
  return [
    ["When", [planWords(plan), `, ${zone}`]],
    ["Makes", request.template ? `Template ${request.template.template ?? request.template}` : jobTitle({ format: "zip", ...request })],
    ["Next", next.length ? due(next[0], zone) : null],
    ["Last run", last ? [`${moment(last.made_at)}: ${runWord(last)}`] : "none yet"],
    ["Failed", failures ? h("span", { class: "problem" }, `${some(failures, "run")} one after another`) : null],
  ];
}

function pausedItself({ state, paused_reason: reason }) {
  if (state === "active" || !reason || reason === BY_HAND) return null;
  return h("div", { class: "notice bad" }, h("p", {}, h("b", {}, state === "ended" ? "It has ended." : "It has paused itself."), ` ${reason}`));
}

function actions({ id, name, state }, changed, gone) {
  const act = (text, path, done) => {
    const made = button(text, () => told(async () => done(await ask(`/schedules/${id}/${path}`, { method: "POST" }))));
    made.setAttribute("aria-label", `${text} ${name}`);
    return made;
  };
  const remove = () =>
    openForm({
      title: `Delete ${name}?`,
      lead: "Nothing is made by it any more. Its jobs and their files stay.",
      verb: "Delete",
      async send() {
        await ask(`/schedules/${id}`, { method: "DELETE" });
        gone();
      },
    });
  const drop = button("Delete", remove, "plain");
  drop.setAttribute("aria-label", `Delete ${name}`);
  const ran = (job) => {
    watch(job);
    go("jobs", { jobId: job.id });
  };
  return h(
    "p",
    { class: "row" },
    state === "active" ? act("Pause", "pause", changed) : state === "paused" ? act("Resume", "resume", changed) : null,
    act("Run now", "run", ran),
    drop,
  );
}

function oneView(id, signal) {
  const heading = h("h1", { tabindex: -1 }, "Schedule");
  const body = h("div", {}, waiting("Asking for the schedule…"));
  const path = `/schedules/${encodeURIComponent(id)}`;
  const load = async () => {
    try {
      const schedule = await askPatiently(path, { signal });
      const runs = await askPatiently(`${path}/runs?limit=${RUNS}`, { signal });
      heading.textContent = schedule.name;
      const changed = () => load().then(() => focusOn(heading));
      fill(body, one(schedule), actions(schedule, changed, () => go("schedules")), history(runs, schedule));
    } catch (problem) {
      if (isQuiet(problem, signal)) return;
      const way = h("a", { href: address("schedules") }, "Show all schedules");
      const missing = problem.status === 404 && nothing("There is no such schedule", "It was deleted, or it is not yours to see.", way);
      fill(body, missing || failed("The schedule cannot be shown", problem, load));
    }
  };
  load();
  const way = h("p", { class: "way" }, h("a", { href: address("schedules") }, "← All schedules"));
  return { title: "Schedule", node: h("article", { class: "one" }, way, heading, body) };
}

function one(schedule) {
  const { next_runs: next, time_zone: zone, request } = schedule;
  return [
    h("p", { class: "word standing" }, STATES[schedule.state]),
    schedule.state === "paused" && schedule.paused_reason === BY_HAND ? h("p", {}, BY_HAND) : pausedItself(schedule),
    facts([
      ...account(schedule).filter(([name]) => name !== "Next"),
      ["Then", next.length ? dueList(next, zone) : null],
      ["Request", h("code", {}, JSON.stringify(request))],
      ["Keeps", schedule.keep_files ? `the newest ${some(schedule.keep_files, "file")}` : null],
      ["Ends", schedule.ends_at && due(schedule.ends_at, zone)],
      ["Owner", schedule.created_by],
    ]),
  ];
}

function history({ runs, total }, { time_zone: zone }) {
  if (!total) return h("section", {}, h("h2", {}, "Runs"), h("p", { class: "help" }, "None yet."));
  const line = (run) =>
    h(
      "tr",
      {},
      h("td", {}, run.due ? due(run.due, zone) : moment(run.made_at)),
      h("td", {}, titled(run.kind)),
      h("td", {}, runWord(run), run.error ? h("p", { class: "problem" }, run.error) : null),
      h("td", { class: "number" }, run.record_count === null ? "" : count(run.record_count)),
      h("td", {}, run.job_id ? h("a", { href: address("jobs", { jobId: run.job_id }) }, "Job") : null),
      h("td", {}, run.download_url ? fetchOf(run) : null),
    );
  const head = ["Due", "Kind", "State", { text: "Records", number: true }, "Job", "File"];
  return h(
    "section",
    {},
    h("h2", {}, "Runs"),
    table("Runs", head, runs.map(line)),
    total > runs.length ? h("p", { class: "help" }, `The newest ${count(runs.length)} of ${count(total)}.`) : null,
  );
}

const fetchOf = (run) => button("Download", () => told(async () => download(await ask(`/jobs/${run.job_id}`))), "plain");

const runWord = (run) => (run.status === "starting" ? "Starting" : stateWord(run.status));
