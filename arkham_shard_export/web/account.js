// The account of a completed export: what the source held is in the file, or is counted here with the reason.
import { copy } from "./clipboard.js";
import { facts, h, table } from "./dom.js";
import { button } from "./actions.js";
import { count, instant, titled, within } from "./words.js";

export function accountNode(job) {
  const { completeness, adjustments = [] } = job.metadata;
  if (!completeness) return null;
  const { expected, written, skipped, skips = [], sections = {} } = completeness;
  const sections_ = Object.entries(sections);
  return h(
    "section",
    { class: "account" },
    h("h2", {}, "The account"),
    h(
      "div",
      { class: "sum" },
      term(expected, "in the source"),
      sign("="),
      term(written, "in the file"),
      sign("+"),
      term(skipped, "left out"),
    ),
    skips.length
      ? table("Left out, and why", ["Left out", { text: "Records", number: true }, "Why"], skips.map(row))
      : h(
          "p",
          { class: "help" },
          adjustments.length ? "Nothing was left out." : "Nothing was left out, and every value is as it was.",
        ),
    adjustments.length
      ? [
          h("h3", {}, "Written otherwise than they were"),
          table("Written otherwise than they were", ["What", { text: "Values", number: true }, "Why"], adjustments.map(row)),
        ]
      : skips.length
        ? h("p", { class: "help" }, "Every value is as it was.")
        : null,
    sections_.length > 1
      ? [h("h3", {}, "Parts of the file"), facts(sections_.map(([name, rows]) => [titled(name), count(rows)]))]
      : null,
  );
}

const term = (number, name) => h("p", {}, h("b", {}, count(number)), h("span", {}, name));

const sign = (text) => h("span", { class: "operator" }, text);

const row = ({ part, kind, count: number, reason }) =>
  h("tr", {}, h("td", {}, part ? `Part ${part}: ${within(titled(kind))}` : titled(kind)), h("td", { class: "number" }, count(number)), h("td", {}, reason ?? ""));

export function proofNode(job) {
  const { sha256, snapshot_at: snapshot, consistent_snapshot: consistent } = job.metadata;
  if (!sha256) return null;
  return h(
    "section",
    {},
    h("h2", {}, "Proof"),
    facts([
      [
        "SHA-256 of the file",
        [h("code", { class: "hash" }, sha256), button("Copy", () => copy(sha256, "SHA-256 copied."), "plain")],
      ],
      [
        "State of the records",
        snapshot
          ? `as of ${instant(snapshot)}${consistent === false ? ", read while it could change" : ", in one snapshot"}`
          : null,
      ],
      ["Job", h("code", {}, job.id)],
    ]),
  );
}
