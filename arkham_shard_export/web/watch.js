// Keeps an eye on the exports made in this tab, on whatever view, and over a reload: tells when they end, and downloads them
// where that is switched on.
import { ask } from "./api.js";
import { download, hasFile } from "./files.js";
import { back } from "./connection.js";
import { h } from "./dom.js";
import { follow, isActive } from "./follower.js";
import { downloadAuto, notifyEnd } from "./preferences.js";
import { address, current } from "./router.js";
import { parsed, tab } from "./storage.js";
import { news } from "./toast.js";
import { jobTitle, records, stateWord } from "./words.js";

const KEY = "watched_exports";
const LONG_MS = 10_000;

const watched = () => parsed(tab.get(KEY), []);
const keep = (ids) => tab.set(KEY, JSON.stringify(ids.slice(-50)));

export function watch(job) {
  keep([...watched().filter((id) => id !== job.id), job.id]);
  attend(job);
}

function attend(job) {
  if (isActive(job)) follow(job, (news) => isActive(news) || ended(news));
  else ended(job);
}

/** Go on with what was watched before the page was loaded again. */
export async function resume() {
  for (const id of watched()) {
    try {
      attend(await ask(`/jobs/${id}`));
    } catch (problem) {
      if (problem.status === 404) forget(id);
      if (problem.passing) return back().then(resume);
    }
  }
}

function forget(id) {
  const there = watched();
  keep(there.filter((each) => each !== id));
  return there.includes(id);
}

function ended(job) {
  if (!forget(job.id) || job.status === "gone") return;
  const text = `${jobTitle(job)}: ${stateWord(job.status).toLowerCase()}${job.status === "completed" ? `, ${records(job.record_count)}` : ""}.`;
  const { view, params } = current();
  // The view of the job tells of its end itself.
  if (view !== "jobs" || params.jobId !== job.id) news(text, h("a", { href: address("jobs", { jobId: job.id }) }, "Show"));
  if (downloadAuto.get() && hasFile(job)) download(job);
  if (new Date(job.completed_at) - new Date(job.created_at) >= LONG_MS) notify(text, job);
}

function notify(text, job) {
  if (!notifyEnd.get() || !("Notification" in window) || Notification.permission !== "granted") return;
  const note = new Notification("Export", { body: text, tag: job.id });
  note.onclick = () => {
    window.focus();
    note.close();
  };
}

/** Ask the browser for leave to notify; only ever called on a click. False where it is refused. */
export async function allowNotifications() {
  if (!("Notification" in window)) return false;
  const granted = (await Notification.requestPermission()) === "granted";
  notifyEnd.set(granted);
  return granted;
}
