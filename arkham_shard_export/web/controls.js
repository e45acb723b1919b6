// Which control stands for a filter or an option, by the type that the host declares.
import { Chips, Line, Lines, Select, Switch } from "./fields.js";
import { Columns, Parts, Preset, Suggested, zones } from "./looks.js";

export function filterField(info, value, changed) {
  const field = `filters.${info.name}`;
  return info.values.length ? new Chips(field, info, info.values, value, changed) : new Lines(field, info, value, changed);
}

/** The control of an option; null where this page has none for its type, or none that shows this value. */
export function optionField(info, value, changed) {
  if (!isShown(info, value)) return null;
  const field = `options.${info.name}`;
  const makers = {
    boolean: () => new Switch(field, info, value, changed),
    integer: () => new Line(field, info, value, changed, "number"),
    date: () => new Line(field, info, value, changed, "date"),
    text: () => new Line(field, info, value, changed, "text"),
    choice: () => new Select(field, info, value, changed),
    choices: () => new Chips(field, info, info.choices, value, changed),
    columns: () => new Columns(field, info, value, changed),
    zone: () => new Suggested(field, info, value, changed, zones()),
    date_format: () => new Suggested(field, info, value, changed, info.choices),
    object: () => (info.choices.length ? new Preset(field, info, value, changed) : new Parts(field, info, value, changed)),
  };
  return makers[info.type]?.() ?? null;
}

function isShown(info, value) {
  if (value === undefined || value === null) return true;
  if (info.type === "columns") return Array.isArray(value);
  return info.type !== "object" || info.choices.length === 0 || typeof value === "string";
}
