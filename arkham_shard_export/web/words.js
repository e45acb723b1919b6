// Numbers, sizes and times as people read them, in the browser's own language.
import { now } from "./clock.js";

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export const count = (number) => Math.round(number).toLocaleString();

export const some = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export const records = (number) => some(number, "record");

export function bytes(number) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(number, 1)) / 3));
  const value = number / 1000 ** power;
  const digits = power && value < 100 ? 1 : 0;
  return `${value.toLocaleString(undefined, { maximumFractionDigits: digits })} ${UNITS[power]}`;
}

/** A span that has passed. */
export function took(ms) {
  if (ms < 1000) return `${Math.max(1, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
  return long(ms / 1000);
}

/** A span that is guessed. */
export function about(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return long(seconds);
}

function long(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 600) {
    const rest = Math.round(seconds % 60);
    return rest && rest < 60 ? `${Math.floor(seconds / 60)} min ${rest} s` : `${minutes} min`;
  }
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

export const moment = (iso) => full.format(new Date(iso));

export const instant = (iso) => exact.format(new Date(iso));

export const clock = (iso) => hour.format(new Date(iso));

const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [86_400 * 14, "day", 86_400],
];

/** How long ago, or in what time; far away it is a date. */
export function ago(iso) {
  const seconds = (new Date(iso) - now()) / 1000;
  if (seconds > -5 && seconds < 2) return "just now";
  for (const [under, unit, size] of STEPS) {
    if (Math.abs(seconds) < under) return relative.format(Math.trunc(seconds / size), unit);
  }
  return moment(iso);
}

/** A name of the interface for people: `claim_type` is Claim type. */
export function titled(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A name in the middle of a sentence; ACH stays ACH. */
export const within = (name) => (/^[A-Z][a-z]/.test(name) ? name.charAt(0).toLowerCase() + name.slice(1) : name);

const STATES = {
  pending: "Waiting",
  processing: "Running",
  completed: "Complete",
  failed: "Failed",
  cancelled: "Cancelled",
  gone: "Removed",
};

export const stateWord = (status) => STATES[status] ?? titled(status);

const PHASES = {
  starting: "Starting",
  counting: "Counting records",
  flattening: "Looking for nested columns",
  writing: "Writing",
  finishing: "Finishing the file",
  storing: "Storing the file",
};

export const phaseWord = (phase) => PHASES[phase] ?? titled(phase);

/** What a job makes, in a few words. */
export const jobTitle = (job) =>
  `${job.parts ? `Batch of ${some(job.parts.length, "part")}` : titled(job.target)} as ${job.format.toUpperCase()}`;
