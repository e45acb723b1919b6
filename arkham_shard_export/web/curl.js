// The same request from a terminal.
import { token } from "./access.js";

/** The token itself is not in it: what is copied ends up in histories and mails. */
export function curlOf(body) {
  const parts = ["curl -s", quoted(`${location.origin}/api/export${pathOf(body)}`)];
  if (token()) parts.push('-H "Authorization: Bearer $ARKHAM_EXPORT_TOKEN"');
  parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return parts.join(" ");
}

/** Where a request is sent to: a batch has parts. */
export const pathOf = (body) => (body.parts ? "/jobs/batch" : "/jobs");

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What was asked for when this job was made; options at their defaults ask for nothing. */
export function bodyOf(job) {
  if (job.parts) return { parts: job.parts.map(partOf), continue_on_error: job.continue_on_error };
  return partOf(job);
}

function partOf(job) {
  const options = Object.fromEntries(Object.entries(job.options).filter(([name, value]) => !isUsual(name, value)));
  const body = { target: job.target, format: job.format };
  if (Object.keys(job.filters).length) body.filters = job.filters;
  if (Object.keys(options).length) body.options = options;
  if (job.name) body.name = job.name;
  return body;
}

const USUAL = {
  include_metadata: true,
  include_relationships: true,
  spreadsheet_safe: true,
  sort_order: "asc",
  compression: "none",
  time_zone: "UTC",
  date_format: "iso",
};

/** Whether an option is at its default, as the contract has it. */
export const isUsual = (name, value) => value === (USUAL[name] ?? false) || value === null || value === undefined;
