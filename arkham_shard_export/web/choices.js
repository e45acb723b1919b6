// What is chosen for an export, measured against what the host declares: what fits, what is refused and why, and the request.
import { defaultFormat, lastChoices } from "./preferences.js";
import { count, within } from "./words.js";

export class Choices {
  /** Begins with what the address names, else with the default format and the last choices. */
  constructor(targets, formats, { target, format }) {
    const last = lastChoices.get();
    this.targets = targets;
    this.formats = formats;
    this.byTarget = last.byTarget ?? {};
    this.matching = null;
    this.target = [target, last.target, firstFilled(targets)].find((name) => targets.some((each) => each.target === name));
    this.format = [format, defaultFormat.get(), last.format, "csv", ...formats.map((each) => each.format)].find((name) =>
      formats.some((each) => each.format === name && each.available),
    );
  }

  get info() {
    return this.targets.find((each) => each.target === this.target);
  }

  get formatInfo() {
    return this.formats.find((each) => each.format === this.format);
  }

  /** Filters and options of the target, which keeps them while others are looked at. */
  get values() {
    const kept = (this.byTarget[this.target] ??= {});
    kept.filters ??= {};
    kept.options ??= {};
    return kept;
  }

  /** Why the target cannot be had in this format, or null. */
  refusal({ format, name, available, remedy, max_records: most }) {
    if (!available) return `Not installed here. Whoever runs the host can add it: ${remedy}`;
    if (!this.info.available_formats.includes(format)) return `${name} is not available for ${within(this.info.name)}.`;
    const there = this.matching ?? this.info.estimated_record_count;
    const written = Math.min(there, this.options().max_records ?? Infinity);
    if (most === null || written <= most) return null;
    return `Holds at most ${count(most)} records, and these are ${count(written)}: narrow the filters, or set max records.`;
  }

  /** Options as they are asked for: what is refused, or at its default, is not. */
  options() {
    const asked = {};
    for (const info of this.info.options) {
      const value = this.values.options[info.name];
      if (value === undefined || value === null || same(value, info.default)) continue;
      if (info.refused[this.format] || !isOffered(info, this.format, value)) continue;
      asked[info.name] = value;
    }
    return asked;
  }

  filters() {
    const asked = {};
    for (const { name } of this.info.filters) {
      const values = [this.values.filters[name] ?? []].flat();
      if (values.length) asked[name] = values.length === 1 ? values[0] : values;
    }
    return asked;
  }

  /** The body of a request; of nothing that is as usual. */
  request() {
    const body = { target: this.target, format: this.format };
    const filters = this.filters();
    const options = this.options();
    if (Object.keys(filters).length) body.filters = filters;
    if (Object.keys(options).length) body.options = options;
    return body;
  }

  /** Take over a whole request, as a template or a job has it. */
  take({ target, format, filters = {}, options = {} }) {
    this.target = target;
    this.format = format;
    this.matching = null;
    this.byTarget[target] = { filters: { ...filters }, options: { ...options } };
  }

  remember() {
    lastChoices.set({ target: this.target, format: this.format, byTarget: this.byTarget });
  }
}

/** The choices that an option has in a format. */
export const offered = (info, format) => info.choices_by_format[format] ?? info.choices;

function isOffered(info, format, value) {
  if (info.type !== "choice" && info.type !== "choices") return true;
  return [value].flat().every((each) => offered(info, format).includes(each));
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const firstFilled = (targets) => (targets.find((each) => each.estimated_record_count > 0) ?? targets[0]).target;
