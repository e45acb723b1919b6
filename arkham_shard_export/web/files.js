// The file of a job: whether there is one, and the ways to it.
import { ask, isQuiet } from "./api.js";
import { copy } from "./clipboard.js";
import { now } from "./clock.js";
import { h, say } from "./dom.js";
import { trouble } from "./toast.js";
import { clock, jobTitle } from "./words.js";

export const isExpired = (job) => job.expires_at !== null && new Date(job.expires_at) <= now();

export const hasFile = (job) => job.status === "completed" && job.file_path !== null && !isExpired(job);

/** What the work comes to; where it is refused, the reason is shown. */
export async function told(work) {
  try {
    return await work();
  } catch (problem) {
    if (!isQuiet(problem)) trouble(problem.message);
    return null;
  }
}

// A browser sends no token as it goes to a file, so a link says that it may; and where there is no file, this says why.
const link = (job) => ask(`/jobs/${job.id}/link`, { method: "POST" });

export function download(job) {
  return told(async () => {
    const anchor = h("a", { href: (await link(job)).url, download: "" });
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
    say(`Downloading ${jobTitle(job)}.`);
  });
}

export function copyLink(job) {
  return told(async () => {
    const { url, expires_at } = await link(job);
    const until = expires_at ? ` It can be followed until ${clock(expires_at)}.` : "";
    await copy(new URL(url, location.href).href, `Link copied.${until}`);
  });
}
