// Follows jobs until they end, for whoever wants to know: a few by their streams, the others by asking.
// A browser has six connections to a host, over all of its tabs. So no more than three are ever kept for streams.
import { ask } from "./api.js";
import { back } from "./connection.js";
import { eventsOf } from "./stream.js";

const SLOTS = [1, 2, 3];
const POLL_MS = 2000;
const MOST_MISSES = 3;
const MOST_ASKED = 10;
const followed = new Map();
let timer = null;

export const isActive = (job) => job.status === "pending" || job.status === "processing";

/** Call `heard` with the job each time that it has come further, until it ends or `signal` is aborted. A job that is not there
 * any more has the status `gone`. */
export function follow(job, heard, signal) {
  const entry = followed.get(job.id) ?? { job, listeners: new Set(), listening: null, polled: false };
  followed.set(job.id, entry);
  entry.listeners.add(heard);
  signal?.addEventListener(
    "abort",
    () => {
      entry.listeners.delete(heard);
      if (entry.listeners.size === 0) drop(entry);
    },
    { once: true },
  );
  arrange();
}

function drop(entry) {
  if (followed.get(entry.job.id) === entry) followed.delete(entry.job.id);
  entry.listening?.abort();
  arrange();
}

function arrange() {
  let open = [...followed.values()].filter((each) => each.listening).length;
  for (const entry of followed.values()) {
    if (entry.listening || entry.polled || open >= SLOTS.length) continue;
    open += 1;
    listen(entry);
  }
  const asked = [...followed.values()].some((each) => !each.listening);
  if (asked && timer === null) timer = setTimeout(poll, POLL_MS);
}

function tell(entry, news) {
  entry.job = { ...entry.job, ...news };
  for (const heard of [...entry.listeners]) heard(entry.job);
  if (!isActive(entry.job)) drop(entry);
}

async function listen(entry) {
  entry.listening = new AbortController();
  const { signal } = entry.listening;
  const release = await slot();
  try {
    if (release) await heardOut(entry, signal);
  } finally {
    release?.();
    entry.listening = null;
    // It goes on by asking, for good where the stream was refused, else until a stream is free again.
    if (!signal.aborted) entry.polled = true;
    arrange();
  }
}

/** Listens until the job ends; returns where asking is better. */
async function heardOut(entry, signal) {
  let after = null;
  for (let misses = 0; misses < MOST_MISSES && !signal.aborted; misses += 1) {
    try {
      for await (const event of eventsOf(entry.job.id, after, signal)) {
        after = event.id;
        misses = 0;
        tell(entry, event.data);
      }
    } catch (problem) {
      if (signal.aborted) return;
      if (problem.status === 404) tell(entry, { status: "gone" });
      if (!problem.passing) return;
      misses = 0;
    }
    if (signal.aborted) return;
    await back();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** One of the streams that all tabs share, as a function that gives it back; null where none is free. Where the browser has no
 * locks (a host without TLS on another machine) each tab has its own. */
async function slot() {
  if (!navigator.locks) return () => {};
  for (const number of SLOTS) {
    const release = await new Promise((resolve) => {
      navigator.locks
        .request(`arkham-export-stream-${number}`, { ifAvailable: true }, (lock) => {
          if (!lock) return resolve(null);
          return new Promise((done) => resolve(done));
        })
        .catch(() => resolve(null));
    });
    if (release) return release;
  }
  return null;
}

async function poll() {
  try {
    await asked([...followed.values()].filter((each) => !each.listening));
  } catch {
    await back();
  }
  timer = null;
  arrange();
}

async function asked(entries) {
  if (entries.length === 0) return;
  const { jobs } = await ask("/jobs?status=pending,processing&limit=500");
  const found = new Map(jobs.map((job) => [job.id, job]));
  const missing = entries.filter((each) => !found.has(each.job.id));
  for (const entry of entries) {
    if (found.has(entry.job.id)) tell(entry, found.get(entry.job.id));
  }
  for (const entry of missing.slice(0, MOST_ASKED)) {
    try {
      tell(entry, await ask(`/jobs/${entry.job.id}`));
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      tell(entry, { status: "gone" });
    }
  }
}
