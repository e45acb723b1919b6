// What can be done with a job, from wherever it is shown.
import { ask, createJob } from "./api.js";
import { copy } from "./clipboard.js";
import { bodyOf, curlOf } from "./curl.js";
import { h, say } from "./dom.js";
import { copyLink, download, hasFile, told } from "./files.js";
import { isActive } from "./follower.js";
import { batch, lastChoices } from "./preferences.js";
import { go } from "./router.js";
import { news } from "./toast.js";
import { watch } from "./watch.js";
import { jobTitle } from "./words.js";

const copyCurl = (job) => copy(curlOf(bodyOf(job)), "Copied as a curl command.");

function cancel(job) {
  return told(async () => {
    await ask(`/jobs/${job.id}`, { method: "DELETE" });
    say(`${jobTitle(job)} is being cancelled.`);
  });
}

/** The same request as a new job. */
const again = (job) => told(() => begin(bodyOf(job)));

/** Make a job and show it. */
export async function begin(body) {
  const job = await createJob(body);
  watch(job);
  go("jobs", { jobId: job.id });
  return job;
}

/** Its choices on the view New, to be changed. */
function change(job) {
  if (job.parts) {
    batch.set(bodyOf(job));
    go("");
    return news("The parts of that batch are on the list.");
  }
  const { target, format, filters = {}, options = {} } = bodyOf(job);
  const kept = lastChoices.get();
  lastChoices.set({ target, format, byTarget: { ...kept.byTarget, [target]: { filters, options } } });
  go("", { target, format });
  return news("The choices of that export are filled in.");
}

/** The one thing to do with a job as it is. */
export function mainAction(job) {
  if (hasFile(job)) return button("Download", () => download(job), "primary");
  if (isActive(job)) return button("Cancel", () => cancel(job));
  return job.status === "gone" ? null : button("Run again", () => again(job));
}

/** What else can be done. */
export function otherActions(job) {
  const known = job.status !== "gone";
  return [
    hasFile(job) && button("Copy link", () => copyLink(job)),
    known && button("Copy as curl", () => copyCurl(job)),
    hasFile(job) && button("Run again", () => again(job)),
    known && !isActive(job) && button("Change and run", () => change(job)),
  ];
}

/** A button that cannot be pressed twice while what it does is under way. */
export function button(text, act, name = null) {
  const made = h("button", { type: "button", class: name }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    await act();
    made.disabled = false;
  });
  return made;
}
