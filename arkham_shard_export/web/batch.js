// The batch that is being built on the view New: several requests that become one file over one state of the records.
import { begin, button } from "./actions.js";
import { isQuiet } from "./api.js";
import { copy } from "./clipboard.js";
import { curlOf } from "./curl.js";
import { fill, focusOn, fresh, h, say } from "./dom.js";
import { openSchedule } from "./keep.js";
import { batch } from "./preferences.js";
import { jobTitle, some } from "./words.js";

export class Batch {
  constructor() {
    this.node = h("section", { class: "batch", "aria-label": "Batch" });
    this.show();
  }

  add(part) {
    const body = batch.get();
    body.parts.push(part);
    batch.set(body);
    this.show();
    say(`Added: the batch has ${some(body.parts.length, "part")}.`);
  }

  remove(at) {
    const body = batch.get();
    body.parts.splice(at, 1);
    batch.set(body);
    this.show();
    const left = this.node.querySelectorAll("li button");
    if (left.length) left[Math.min(at, left.length - 1)].focus();
    else document.getElementById("add-to-batch")?.focus();
    say(`Removed: the batch has ${some(body.parts.length, "part")}.`);
  }

  show() {
    const body = batch.get();
    this.node.hidden = body.parts.length === 0;
    if (this.node.hidden) return fill(this.node);
    this.problems = body.parts.map(() => h("p", { class: "problem", id: fresh("problem"), hidden: true }));
    this.summary = h("p", { class: "problem", role: "status", hidden: true });
    const goesOn = h("input", {
      type: "checkbox",
      checked: body.continue_on_error,
      onchange: () => batch.set({ ...batch.get(), continue_on_error: goesOn.checked }),
    });
    return fill(
      this.node,
      h("h2", { tabindex: -1 }, `Batch of ${some(body.parts.length, "part")}`),
      h("ol", {}, body.parts.map((part, at) => this.line(part, at))),
      h("label", { class: "check" }, goesOn, h("span", {}, "Continue when one fails")),
      this.summary,
      h(
        "div",
        { class: "row" },
        button("Export the batch", () => this.export(), "primary"),
        button("Copy batch as curl", () => copy(curlOf(batch.get()), "Copied as a curl command.")),
        button("Schedule the batch", () => openSchedule(batch.get()), "plain"),
      ),
    );
  }

  line(part, at) {
    const title = part.template ? `Template ${part.template}` : jobTitle(part);
    const more = [
      some(Object.keys(part.filters ?? {}).length, "filter"),
      some(Object.keys(part.options ?? {}).length, "option"),
    ].filter((each) => !each.startsWith("0"));
    const drop = h("button", { type: "button", class: "plain", onclick: () => this.remove(at) }, "Remove");
    drop.setAttribute("aria-label", `Remove part ${at + 1}, ${title}`);
    return h("li", {}, h("span", {}, title, h("span", { class: "quiet" }, more.length ? ` · ${more.join(", ")}` : "")), drop, this.problems[at]);
  }

  async export() {
    try {
      this.tell(null);
      await begin(batch.get());
      batch.set({ parts: [] });
    } catch (problem) {
      if (!isQuiet(problem)) this.tell(problem);
    }
  }

  /** What is wrong with a part at that part. */
  tell(problem) {
    const left = [];
    for (const each of this.problems) each.textContent = "";
    for (const { field, message } of problem?.errors ?? []) {
      const at = /^parts\[(\d+)\]/.exec(field)?.[1];
      if (this.problems[at]) this.problems[at].textContent += `${message.replace(/^parts\[\d+\]: /, "")} `;
      else left.push(message);
    }
    for (const each of this.problems) each.hidden = !each.textContent;
    if (problem && !problem.errors?.length) left.push(problem.message);
    if (problem?.errors?.length && !left.length) left.push("A part is not possible like this: see above.");
    this.summary.textContent = left.join(" ");
    this.summary.hidden = !left.length;
    if (problem) focusOn(this.node.querySelector("h2"));
  }
}
