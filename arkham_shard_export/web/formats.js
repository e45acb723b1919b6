// What each format is for, and what it cannot carry.
import { askPatiently, isQuiet } from "./api.js";
import { copy } from "./clipboard.js";
import { button } from "./actions.js";
import { facts, fill, h } from "./dom.js";
import { failed, waiting } from "./empty.js";
import { defaultFormat } from "./preferences.js";
import { address } from "./router.js";
import { records } from "./words.js";

export function formatsView(_params, signal) {
  const holder = h("div", {}, waiting("Asking for the formats…"));
  const node = h(
    "div",
    {},
    h(
      "header",
      { class: "head" },
      h("h1", {}, "Formats"),
      h(
        "p",
        { class: "lead" },
        "What each is for, and what it cannot carry. What a file cannot hold as it was is counted with the job.",
      ),
    ),
    holder,
  );
  load(holder, signal);
  return { title: "Formats", node };
}

async function load(holder, signal) {
  try {
    const formats = await askPatiently("/formats", { signal });
    if (!signal.aborted) show(holder, formats);
  } catch (problem) {
    if (!isQuiet(problem, signal))
      fill(
        holder,
        failed("The formats cannot be shown", problem, () => load(holder, signal)),
      );
  }
}

function show(holder, formats) {
  const again = () => show(holder, formats);
  fill(
    holder,
    h(
      "ul",
      { class: "formats-list" },
      formats.map((each) => entry(each, again)),
    ),
  );
}

function entry(info, again) {
  const usual = defaultFormat.get() === info.format;
  return h(
    "li",
    { class: "format-entry", "data-format": info.format },
    h("h2", {}, info.name, " ", h("span", { class: "extension" }, info.file_extension)),
    h("p", { class: "purpose" }, info.purpose),
    facts([
      ["Cannot carry", info.cannot_carry || "Nothing is known that it could not."],
      ["Holds", info.max_records === null ? "as many records as there are" : `at most ${records(info.max_records)}`],
      ["Nested values", info.supports_flatten ? "can be flattened into columns" : "are set as text"],
      ["Here", info.available ? "available" : h("span", { class: "problem" }, "not available: a library is not installed")],
    ]),
    info.available ? ways(info, usual, again) : remedy(info),
  );
}

function ways(info, usual, again) {
  const toggle = () => {
    defaultFormat.set(usual ? null : info.format);
    again();
    document.querySelector(`[data-format="${info.format}"] button`)?.focus();
  };
  return h(
    "p",
    { class: "row" },
    h(
      "a",
      { class: "button", href: address("", { format: info.format }), "aria-label": `Export as ${info.name}` },
      "Export as this",
    ),
    h(
      "button",
      {
        type: "button",
        class: "plain",
        "aria-pressed": String(usual),
        "aria-label": `${info.name} is the default`,
        onclick: toggle,
      },
      usual ? "✓ The default" : "Make it the default",
    ),
  );
}

const remedy = (info) =>
  h(
    "div",
    { class: "notice" },
    h("p", {}, "Whoever runs the host can add it with"),
    h(
      "p",
      { class: "row" },
      h("code", {}, info.remedy),
      button("Copy", () => copy(info.remedy, "Command copied."), "plain"),
    ),
  );
