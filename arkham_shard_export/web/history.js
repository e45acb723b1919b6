// What was exported over time: jobs and volume by day, formats and targets, and how long it took.
import { askPatiently, isQuiet } from "./api.js";
import { bars, barsHeight, columns, figure } from "./charts.js";
import { facts, fill, h } from "./dom.js";
import { failed, nothing, waiting } from "./empty.js";
import { address } from "./router.js";
import { tab } from "./storage.js";
import { bytes, count, records, some, stateWord, titled, took } from "./words.js";

const SPANS = [7, 30, 90, 365];
const STATES = ["completed", "failed", "cancelled", "processing", "pending"];
const KEY = "history_days";
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

export function historyView(_params, signal) {
  const kept = Number(tab.get(KEY));
  const days = SPANS.includes(kept) ? kept : 30;
  const holder = h("div", {}, waiting("Counting…"));
  const span = h(
    "select",
    {
      onchange: () => {
        tab.set(KEY, span.value);
        load(holder, Number(span.value), signal);
      },
    },
    SPANS.map((each) =>
      h("option", { value: each, selected: each === days }, each === 365 ? "The last year" : `The last ${each} days`),
    ),
  );
  const node = h(
    "div",
    {},
    h(
      "header",
      { class: "head" },
      h("h1", {}, "History"),
      h("form", { class: "filters" }, h("label", {}, h("span", {}, "Time"), span)),
    ),
    holder,
  );
  load(holder, days, signal);
  return { title: "History", node };
}

async function load(holder, days, signal) {
  holder.setAttribute("aria-busy", "true");
  try {
    const [history, stats] = await Promise.all([
      askPatiently(`/history?days=${days}`, { signal }),
      askPatiently("/stats", { signal }),
    ]);
    if (!signal.aborted) fill(holder, content(history, stats));
  } catch (problem) {
    if (!isQuiet(problem, signal))
      fill(
        holder,
        failed("The history cannot be shown", problem, () => load(holder, days, signal)),
      );
  }
  holder.removeAttribute("aria-busy");
}

function content(history, stats) {
  if (stats.total_jobs === 0)
    return nothing(
      "Nothing to look back on yet",
      "As soon as something was exported, it is counted here.",
      h("a", { class: "button primary", href: address("") }, "Make the first export"),
    );
  const jobs = history.days.reduce((total, each) => total + each.jobs, 0);
  const all = h(
    "section",
    { "aria-label": "All exports so far" },
    facts(
      [
        ["Jobs so far", count(stats.total_jobs)],
        ["Records exported", short.format(stats.total_records_exported)],
        ["Written", bytes(stats.total_file_size_bytes)],
        ["On average", took(stats.avg_processing_time_ms)],
        ["Failed", count(stats.jobs_failed)],
      ],
      { class: "facts figures" },
    ),
  );
  if (jobs === 0) return [all, nothing("No jobs in this time", "Choose a longer one above.")];
  return [
    all,
    h(
      "div",
      { class: "charts" },
      jobsByDay(history.days),
      volumeByDay(history.days),
      byKind("By format", history.by_format, (name) => name.toUpperCase()),
      byKind("By target", history.by_target, titled),
      durations(history.durations),
    ),
  ];
}

const dated = (each) => day.format(new Date(each.date));

function jobsByDay(days) {
  const present = STATES.filter((state) => days.some((each) => each.by_status[state]));
  const total = days.reduce((sum, each) => sum + each.jobs, 0);
  const busiest = days.reduce((best, each) => (each.jobs > best.jobs ? each : best));
  return figure({
    title: "Jobs",
    description: `${some(total, "job")} in ${days.length} days, by the day they were asked for (UTC). Most of them, ${count(busiest.jobs)}, on ${dated(busiest)}.`,
    legend: present.map((state) => [state, stateWord(state)]),
    draw: (width) =>
      columns(
        width,
        days.map((each) => ({
          label: dated(each),
          told: `${dated(each)}: ${some(each.jobs, "job")}${present
            .filter((state) => each.by_status[state])
            .map((state) => `, ${count(each.by_status[state])} ${stateWord(state).toLowerCase()}`)
            .join("")}`,
          parts: present.map((state) => ({ name: state, value: each.by_status[state] ?? 0 })),
        })),
        short.format,
      ),
    head: ["Day", ...present.map((state) => ({ text: stateWord(state), number: true }))],
    rows: days
      .filter((each) => each.jobs)
      .map((each) => row(dated(each), ...present.map((state) => count(each.by_status[state] ?? 0)))),
  });
}

function volumeByDay(days) {
  const total = days.reduce((sum, each) => sum + each.bytes, 0);
  const written = days.reduce((sum, each) => sum + each.records, 0);
  return figure({
    title: "Volume",
    description: `${bytes(total)} in files, with ${records(written)}, of the exports that were completed.`,
    draw: (width) =>
      columns(
        width,
        days.map((each) => ({
          label: dated(each),
          told: `${dated(each)}: ${bytes(each.bytes)}, ${records(each.records)}`,
          parts: [{ name: "completed", value: each.bytes }],
        })),
        bytes,
      ),
    head: ["Day", { text: "Records", number: true }, { text: "Size", number: true }],
    rows: days.filter((each) => each.jobs).map((each) => row(dated(each), count(each.records), bytes(each.bytes))),
  });
}

function byKind(title, kinds, worded) {
  const entries = Object.entries(kinds).sort(([, one], [, other]) => other.jobs - one.jobs);
  const [name, most] = entries[0];
  return figure({
    title,
    description: `${worded(name)} was asked for most, in ${some(most.jobs, "job")}.`,
    height: barsHeight(entries.length),
    legend: entries.some(([, each]) => each.jobs > each.completed)
      ? [
          ["completed", "Complete"],
          ["cancelled", "Not complete"],
        ]
      : null,
    draw: (width) =>
      bars(
        width,
        entries.map(([key, each]) => ({
          label: worded(key),
          value: some(each.jobs, "job"),
          told: `${worded(key)}: ${some(each.jobs, "job")}, ${records(each.records)}, ${bytes(each.bytes)}`,
          parts: [
            { name: "completed", value: each.completed },
            { name: "cancelled", value: each.jobs - each.completed },
          ],
        })),
      ),
    head: [
      title.replace("By ", "").replace(/^./, (letter) => letter.toUpperCase()),
      ...["Jobs", "Complete", "Records", "Size", "On average"].map((text) => ({ text, number: true })),
    ],
    rows: entries.map(([key, each]) =>
      row(
        worded(key),
        count(each.jobs),
        count(each.completed),
        count(each.records),
        bytes(each.bytes),
        each.completed ? took(each.average_ms) : "–",
      ),
    ),
  });
}

function durations(classes) {
  const named = classes.map((each, at) => ({
    ...each,
    label:
      at === 0
        ? `< ${took(each.under_ms)}`
        : each.under_ms === null
          ? `> ${took(classes[at - 1].under_ms)}`
          : `< ${took(each.under_ms)}`,
  }));
  const total = classes.reduce((sum, each) => sum + each.jobs, 0);
  const quick = classes
    .filter((each) => each.under_ms !== null && each.under_ms <= 10_000)
    .reduce((sum, each) => sum + each.jobs, 0);
  return figure({
    title: "How long they took",
    description: total
      ? `${count(quick)} of ${some(total, "completed export")} took less than 10 seconds.`
      : "None was completed.",
    draw: (width) =>
      columns(
        width,
        named.map((each) => ({
          label: each.label,
          told: `${each.label}: ${some(each.jobs, "job")}`,
          parts: [{ name: "completed", value: each.jobs }],
        })),
        short.format,
      ),
    head: ["Time", { text: "Jobs", number: true }],
    rows: named.map((each) => row(each.label, count(each.jobs))),
  });
}

const row = (name, ...values) =>
  h(
    "tr",
    {},
    h("th", { scope: "row" }, name),
    values.map((each) => h("td", { class: "number" }, each)),
  );
