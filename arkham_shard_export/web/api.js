// Everything that the page asks of the host goes through here, and every refusal comes back as the host's own sentence.
import { credentials } from "./access.js";
import { tellTime } from "./clock.js";
import { back, lost } from "./connection.js";
import { pathOf } from "./curl.js";

const ROOT = "/api/export";
const FILE = "application/octet-stream";

/** What the host refused (RFC 9457): `kind` is stable, `errors` names the wrong fields. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || `The host answered with status ${status}.`);
    this.status = status;
    this.kind = (body?.type ?? "").split(":").pop();
    this.errors = body?.errors ?? [];
  }

  /** The host is there, but something that it needs is not, or what stands before it does not reach it. */
  get passing() {
    return this.kind === "service-unavailable" || (this.status >= 502 && this.status <= 504 && !this.kind);
  }
}

/** The host did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("The host did not answer.");
    this.passing = true;
  }
}

/** The answer, if it is a good one. */
export async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  const isFile = body instanceof Blob;
  const given = body === undefined ? {} : { "content-type": isFile ? FILE : "application/json" };
  const sent = isFile ? body : body && JSON.stringify(body);
  const init = { method, signal, headers: { ...given, ...credentials(), ...headers }, body: sent };
  const answer = await reached(fetch(ROOT + path, init), signal);
  tellTime(answer);
  if (answer.ok) return answer;
  const problem = new Problem(answer.status, await answer.json().catch(() => null));
  if (problem.status === 401) document.dispatchEvent(new Event("token-wanted"));
  if (problem.passing) lost(problem.kind ? problem.message : "");
  throw problem;
}

/** What was fetched; where the connection broke, everybody is told so. */
export async function reached(promise, signal) {
  try {
    return await promise;
  } catch (error) {
    if (signal?.aborted) throw error;
    lost();
    throw new Unreachable();
  }
}

/** The body of the answer. */
export async function ask(path, options = {}) {
  const answer = await request(path, options);
  return answer.status === 204 ? null : reached(answer.json(), options.signal);
}

/** As `ask`, and again whenever the host is back. Only for what can be sent twice. */
export async function askPatiently(path, options = {}) {
  for (;;) {
    try {
      return await ask(path, options);
    } catch (problem) {
      if (!problem.passing || options.signal?.aborted) throw problem;
    }
    await back();
    options.signal?.throwIfAborted();
  }
}

/** Make a job, once, however often the connection breaks. */
export function createJob(body) {
  return askPatiently(pathOf(body), { method: "POST", body, headers: { "idempotency-key": key() } });
}

function key() {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return [...words].map((each) => each.toString(16).padStart(8, "0")).join("");
}

/** Whether a failed call is no news: the view was left, or the door asks for the token. */
export const isQuiet = (problem, signal) => Boolean(signal?.aborted) || problem.status === 401;
