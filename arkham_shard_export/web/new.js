// New export: what, as what, which records, how; beside it the first of them, and how much it will be.
import { begin, button } from "./actions.js";
import { askPatiently, isQuiet } from "./api.js";
import { Batch } from "./batch.js";
import { Choices } from "./choices.js";
import { copy } from "./clipboard.js";
import { curlOf } from "./curl.js";
import { fill, fresh, h } from "./dom.js";
import { failed, waiting } from "./empty.js";
import { filterField, optionField } from "./fields.js";
import { openSchedule, openTemplate } from "./keep.js";
import { showOptions } from "./preferences.js";
import { Preview } from "./preview.js";
import { note } from "./router.js";
import { templateSelect, useTemplate } from "./use.js";
import { count, some, titled, within } from "./words.js";

export function newView(params, signal) {
  const node = h("div", {}, heading(), waiting("Counting the records…"));
  load(node, params, signal);
  return { title: "New", node };
}

const heading = () =>
  h(
    "header",
    { class: "head" },
    h("h1", {}, "New export"),
    h("p", { class: "lead" }, "Choose what is to leave the case, and as what. Nothing is changed by looking."),
  );

async function load(node, params, signal) {
  try {
    const [targets, formats] = await Promise.all([askPatiently("/targets", { signal }), askPatiently("/formats", { signal })]);
    if (signal.aborted) return;
    const choices = new Choices(targets, formats, params);
    if (params.template) await useTemplate(choices, params, signal);
    if (signal.aborted) return;
    const maker = new Maker(choices, signal);
    fill(node, heading(), maker.node);
  } catch (problem) {
    if (isQuiet(problem, signal)) return;
    fill(
      node,
      heading(),
      failed("What can be exported cannot be shown", problem, () => {
        fill(node, heading(), waiting("Counting the records…"));
        load(node, params, signal);
      }),
    );
  }
}

class Maker {
  constructor(choices, signal) {
    this.choices = choices;
    this.signal = signal;
    this.fields = [];
    this.preview = new Preview(signal, (preview, problem) => this.heard(preview, problem));
    this.targets = radios("What", "target", choices.targets.map(targetCard), choices.target, (name) => this.chooseTarget(name));
    this.formats = radios("As what", "format", choices.formats.map(formatCard), choices.format, (name) =>
      this.chooseFormat(name),
    );
    this.which = h("div", { class: "fields" });
    this.how = h("div", { class: "fields" });
    this.changed = h("span", { class: "badge" });
    this.summary = h("p", { class: "problem", role: "status", hidden: true });
    this.submit = h("button", { class: "primary large" });
    this.batch = new Batch();
    this.others = h("div", { class: "notice", hidden: true });
    this.node = h("form", { class: "new", novalidate: "", onsubmit: (event) => this.export(event) }, this.left(), this.right());
    this.showTarget();
  }

  left() {
    const options = h(
      "details",
      { class: "options", open: showOptions.get(), ontoggle: () => showOptions.set(options.open) },
      h("summary", {}, h("h2", {}, "How"), this.changed),
      this.how,
      this.others,
    );
    return h(
      "div",
      { class: "choose" },
      this.targets.node,
      this.formats.node,
      h("section", {}, h("h2", {}, "Which records"), this.which),
      options,
    );
  }

  right() {
    const curl = button("Copy as curl", () => copy(curlOf(this.choices.request()), "Copied as a curl command."));
    return h(
      "div",
      { class: "side" },
      h(
        "section",
        { class: "act", "aria-label": "Export" },
        this.preview.estimate,
        this.summary,
        h("div", { class: "row" }, this.submit, curl),
      ),
      h("section", { class: "keep", "aria-label": "Keep and repeat" }, templateSelect(this.signal), this.keeping()),
      this.batch.node,
      h("section", { class: "look" }, h("h2", {}, "Preview"), this.preview.sheet),
    );
  }

  keeping() {
    const { choices } = this;
    const add = button("Add to batch", () => this.batch.add(choices.request()));
    add.id = "add-to-batch";
    return h(
      "div",
      { class: "row" },
      button("Save as template", () => openTemplate({ body: choices.request() })),
      button("Schedule this", () => openSchedule(choices.request())),
      add,
    );
  }

  chooseTarget(name) {
    this.choices.target = name;
    this.choices.matching = null;
    this.showTarget();
  }

  chooseFormat(name) {
    this.choices.format = name;
    this.showFormat();
  }

  /** The controls of the target. */
  showTarget() {
    const { info, values } = this.choices;
    const keep = (kept, name) => (value) => {
      if (value === null) delete kept[name];
      else kept[name] = value;
      this.showChange();
    };
    const filters = tidy(info.filters).map((each) =>
      filterField(each, values.filters[each.name], keep(values.filters, each.name)),
    );
    const options = tidy(info.options)
      .map((each) => optionField(each, values.options[each.name], keep(values.options, each.name)))
      .filter(Boolean);
    this.fields = [...filters, ...options];
    this.showOthers(tidy(info.options).filter((each) => !this.fields.some((one) => one.field === `options.${each.name}`)));
    fill(
      this.which,
      filters.length ? filters.map((each) => each.node) : h("p", { class: "help" }, "All of them: this target has no filters."),
    );
    fill(
      this.how,
      options.map((each) => each.node),
    );
    this.showFormat();
  }

  /** Options that a template or a job has set, and for which there is no control here, are told and can be taken off. */
  showOthers(without) {
    const { options } = this.choices.values;
    const set = without.filter((each) => options[each.name] !== undefined);
    const drop = button("Leave them out", () => {
      for (const each of set) delete options[each.name];
      this.showTarget();
      this.changed.parentElement.focus();
    });
    this.others.hidden = set.length === 0;
    fill(this.others, h("p", {}, `Also set: ${set.map((each) => titled(each.name)).join(", ")}.`), h("p", {}, drop));
  }

  /** What the format refuses is disabled, with the reason. */
  showFormat() {
    const { info, format } = this.choices;
    for (const each of info.options) {
      const field = this.fields.find((one) => one.field === `options.${each.name}`);
      field?.offer(format);
      field?.refuse(each.refused[format] ?? null);
    }
    this.showChange();
  }

  /** Everything that follows from any change. */
  showChange() {
    const { choices } = this;
    note("", { target: choices.target, format: choices.format });
    choices.remember();
    this.refuseFormats();
    const changed = Object.keys(choices.options()).length;
    this.changed.textContent = changed ? `${some(changed, "option")} changed` : "";
    this.submit.textContent = `Export ${within(choices.info.name)} as ${choices.format.toUpperCase()}`;
    this.preview.show(choices.request());
  }

  refuseFormats() {
    for (const each of this.choices.formats) this.formats.refuse(each.format, this.choices.refusal(each));
  }

  heard(preview, problem) {
    if (preview) {
      this.choices.matching = preview.estimated_record_count;
      this.refuseFormats();
    }
    this.showProblems(problem);
  }

  /** Each problem at the field that it names; and above the button where to look, or what names no field. */
  showProblems(problem) {
    const errors = new Map((problem?.errors ?? []).map((each) => [each.field, each.message]));
    const wrong = this.fields.filter((each) => each.problem(errors.get(each.field) ?? null));
    for (const each of wrong) errors.delete(each.field);
    const left = problem && problem.errors.length === 0 ? [problem.message] : [...errors.values()];
    if (wrong.length) left.push(`Not possible like this: see ${wrong.map((each) => each.title).join(", ")}.`);
    this.summary.textContent = left.join(" ");
    this.summary.hidden = left.length === 0;
  }

  async export(event) {
    event.preventDefault();
    this.submit.disabled = true;
    try {
      await begin(this.choices.request());
    } catch (problem) {
      if (isQuiet(problem)) return;
      this.showProblems(problem);
      this.node.querySelector("[aria-invalid]")?.focus();
    } finally {
      this.submit.disabled = false;
    }
  }
}

const ORDER = ["date", "integer", "choices", "choice", "text", "boolean"];

/** What looks alike stands together. */
const tidy = (infos) => infos.toSorted((one, other) => rank(one) - rank(other));

const rank = ({ type, values }) => (type ? ORDER.indexOf(type) : values.length ? 0 : 1);

/** A group of cards of which one is chosen. */
function radios(legend, name, cards, chosen, choose) {
  const list = cards.map(({ value, title, beside, help }) => {
    const names = [
      h("span", { class: "name", id: fresh("name") }, title),
      h("span", { class: beside[0], id: fresh("beside") }, beside[1]),
    ];
    const text = h("span", { class: "help", id: fresh("help") }, help);
    const input = h("input", {
      type: "radio",
      name,
      value,
      checked: value === chosen,
      "aria-labelledby": names.map((each) => each.id).join(" "),
      "aria-describedby": text.id,
      onchange: () => choose(value),
    });
    return { value, input, help, text, node: h("label", { class: `card ${name}` }, input, names, text) };
  });
  return {
    node: h(
      "fieldset",
      { class: `cards ${name}s` },
      h("legend", {}, h("h2", {}, legend)),
      h(
        "div",
        {},
        list.map((each) => each.node),
      ),
    ),
    /** Greyed, and the reason in place of the help. What is chosen stays so: the host says what is wrong with it. */
    refuse(value, reason) {
      const card = list.find((each) => each.value === value);
      card.text.textContent = reason ?? card.help;
      card.input.disabled = reason !== null && !card.input.checked;
      card.node.classList.toggle("refused", reason !== null);
    },
  };
}

const targetCard = ({ target, name, description, estimated_record_count: there }) => ({
  value: target,
  title: name,
  beside: ["count", count(there)],
  help: description,
});

const formatCard = ({ format, name, file_extension: extension, purpose }) => ({
  value: format,
  title: name,
  beside: ["extension", extension],
  help: purpose,
});
