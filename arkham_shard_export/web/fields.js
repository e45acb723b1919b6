// Controls for filters and options, each made of what the host declares: a name, a type, a sentence of help.
import { fresh, h } from "./dom.js";
import { offered } from "./choices.js";
import { titled } from "./words.js";

/** A control that knows the `field` that a problem names, and can be refused with a reason. */
export class Field {
  constructor(field, help) {
    this.field = field;
    this.title = titled(field.split(".")[1]);
    this.usual = help;
    this.help = h("p", { class: "help", id: fresh("help") }, help);
    this.wrong = h("p", { class: "problem", id: fresh("problem"), hidden: true });
    this.described = `${this.help.id} ${this.wrong.id}`;
  }

  /** Disabled, and the reason in place of the help; null: as usual. */
  refuse(reason) {
    this.help.textContent = reason ?? this.usual;
    this.node.classList.toggle("refused", reason !== null);
    for (const each of this.inputs()) each.disabled = reason !== null;
  }

  /** Show what is wrong with what was entered, or null; true where something is. */
  problem(message) {
    this.wrong.textContent = message?.replaceAll(this.field, this.title) ?? "";
    this.wrong.hidden = message === null;
    for (const each of this.inputs()) {
      if (message === null) each.removeAttribute("aria-invalid");
      else each.setAttribute("aria-invalid", "true");
    }
    return message !== null;
  }

  inputs() {
    return this.node.querySelectorAll("input, select, textarea");
  }

  offer() {}
}

export class Switch extends Field {
  constructor(field, info, value, changed) {
    super(field, info.description);
    const input = h("input", {
      type: "checkbox",
      checked: value ?? info.default,
      "aria-describedby": this.described,
      onchange: () => changed(input.checked),
    });
    this.node = h("div", { class: "field switch" }, h("label", {}, input, h("span", {}, this.title)), this.help, this.wrong);
  }
}

export class Line extends Field {
  constructor(field, info, value, changed, type) {
    super(field, info.description);
    const read = () =>
      input.value === "" && !input.validity.badInput ? null : type === "number" ? input.valueAsNumber : input.value;
    const id = fresh("field");
    const input = h("input", {
      id,
      type,
      value: value ?? "",
      min: type === "number" ? 1 : null,
      step: type === "number" ? 1 : null,
      inputmode: type === "number" ? "numeric" : null,
      "aria-describedby": this.described,
      oninput: () => changed(read()),
    });
    this.node = h("div", { class: "field" }, h("label", { for: id }, this.title), input, this.help, this.wrong);
  }
}

/** A file of one kind; null where none is chosen. */
export class Upload extends Field {
  constructor(field, help, kind, changed) {
    super(field, help);
    const id = fresh("field");
    const input = h("input", {
      id,
      type: "file",
      accept: kind,
      "aria-describedby": this.described,
      onchange: () => changed(input.files[0] ?? null),
    });
    this.node = h("div", { class: "field" }, h("label", { for: id }, this.title), input, this.help, this.wrong);
  }
}

export class Select extends Field {
  constructor(field, info, value, changed) {
    super(field, info.description);
    this.info = info;
    const id = fresh("field");
    this.select = h("select", { id, "aria-describedby": this.described, onchange: () => changed(this.select.value || null) });
    this.value = value ?? info.default;
    this.select.addEventListener("change", () => {
      this.value = this.select.value || null;
    });
    this.node = h("div", { class: "field" }, h("label", { for: id }, this.title), this.select, this.help, this.wrong);
  }

  /** Only what the format has; what was chosen comes back with a format that has it. */
  offer(format) {
    const choices = offered(this.info, format);
    const none = this.info.default === null ? [h("option", { value: "" }, "None")] : [];
    this.select.replaceChildren(...none, ...choices.map((each) => h("option", { value: each }, each)));
    this.select.value = choices.includes(this.value) ? this.value : (this.info.default ?? "");
  }
}

export class Chips extends Field {
  constructor(field, info, choices, value, changed) {
    super(field, info.description);
    const chosen = new Set([value ?? []].flat());
    const boxes = choices.map((each) => {
      const input = h("input", {
        type: "checkbox",
        value: each,
        checked: chosen.has(each),
        onchange: () => {
          if (input.checked) chosen.add(each);
          else chosen.delete(each);
          const left = choices.filter((one) => chosen.has(one));
          changed(left.length ? left : null);
        },
      });
      return h("label", { class: "chip" }, input, h("span", {}, each));
    });
    this.node = h(
      "fieldset",
      { class: "field", "aria-describedby": this.described },
      h("legend", {}, this.title),
      this.help,
      h("div", { class: "chips" }, boxes),
      this.wrong,
    );
  }
}

export class Lines extends Field {
  constructor(field, info, value, changed) {
    super(field, `${info.description} Several: one a line.`);
    const id = fresh("field");
    const read = () =>
      area.value
        .split("\n")
        .map((each) => each.trim())
        .filter(Boolean);
    const area = h("textarea", {
      id,
      rows: 1,
      spellcheck: "false",
      autocomplete: "off",
      "aria-describedby": this.described,
      oninput: () => {
        const values = read();
        area.rows = Math.min(6, Math.max(1, area.value.split("\n").length));
        changed(values.length ? values : null);
      },
    });
    area.value = [value ?? []].flat().join("\n");
    area.rows = Math.min(6, Math.max(1, area.value.split("\n").length));
    this.node = h("div", { class: "field" }, h("label", { for: id }, this.title), area, this.help, this.wrong);
  }
}
