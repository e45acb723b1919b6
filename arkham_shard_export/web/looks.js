// Controls for options that say how a file looks: its columns, the zone and form of times, the dialect of CSV, a report's front.
import { fresh, h } from "./dom.js";
import { Field, Select } from "./fields.js";
import { titled } from "./words.js";

/** A line of text with suggestions. */
export class Suggested extends Field {
  constructor(field, info, value, changed, suggestions) {
    super(field, info.description);
    const [id, list] = [fresh("field"), fresh("list")];
    const input = h("input", {
      id,
      type: "text",
      list,
      value: value ?? "",
      placeholder: info.default ?? "",
      spellcheck: "false",
      autocomplete: "off",
      "aria-describedby": this.described,
      oninput: () => changed(input.value.trim() || null),
    });
    const known = h("datalist", { id: list }, suggestions.map((each) => h("option", { value: each })));
    this.node = h("div", { class: "field" }, h("label", { for: id }, this.title), input, known, this.help, this.wrong);
  }
}

/** Columns in their order, one a line; `name = Label` gives one another heading. */
export class Columns extends Field {
  constructor(field, info, value, changed) {
    super(field, `${info.description} One a line, as name or name = Label.`);
    const id = fresh("field");
    const area = h("textarea", {
      id,
      rows: 2,
      spellcheck: "false",
      autocomplete: "off",
      "aria-describedby": this.described,
      oninput: () => {
        const columns = area.value.split("\n").map(column).filter(Boolean);
        changed(columns.length ? columns : null);
      },
    });
    area.value = (value ?? []).map(written).join("\n");
    this.node = h("div", { class: "field" }, h("label", { for: id }, this.title), area, this.help, this.wrong);
  }
}

function column(line) {
  const [name, ...label] = line.split("=").map((each) => each.trim());
  return name && label.length && label.join("=") ? { name, label: label.join("=") } : name;
}

const written = (each) => (typeof each === "string" ? each : each.label ? `${each.name} = ${each.label}` : each.name);

/** One of some presets, by its name. */
export class Preset extends Select {
  constructor(field, info, value, changed) {
    super(field, { ...info, choices_by_format: {} }, typeof value === "string" ? value : null, changed);
  }
}

/** The parts of an option that are a text or a choice; the others are kept as they are. */
export class Parts extends Field {
  constructor(field, info, value, changed) {
    super(field, info.description);
    const parts = { ...value };
    const set = (name, entered) => {
      if (entered) parts[name] = entered;
      else delete parts[name];
      changed(Object.keys(parts).length ? { ...parts } : null);
    };
    const lines = info.parts.filter((each) => each.type === "text").map((each) => line(each, parts[each.name], set));
    const choices = info.parts.filter((each) => each.type === "choice").map((each) => choice(each, parts[each.name], set));
    this.node = h(
      "fieldset",
      { class: "field", "aria-describedby": this.described },
      h("legend", {}, this.title),
      this.help,
      lines,
      choices,
      this.wrong,
    );
  }
}

function line(part, value, set) {
  const input = h("input", { type: "text", value: value ?? "", title: part.description, oninput: () => set(part.name, input.value.trim()) });
  return h("label", { class: "part" }, h("span", {}, titled(part.name)), input);
}

function choice(part, value, set) {
  const options = ["", ...part.choices].map((each) => h("option", { value: each }, each || "as usual"));
  const select = h("select", { title: part.description, onchange: () => set(part.name, select.value) }, options);
  select.value = value ?? "";
  return h("label", { class: "part" }, h("span", {}, titled(part.name)), select);
}

export const zones = () => ["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
