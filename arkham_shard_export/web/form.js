// Dialogs: a form that is sent, with what is wrong at the field that it names; and a question before something is lost.
import { isQuiet } from "./api.js";
import { fresh, h } from "./dom.js";

/** `fields` are controls by the name that the host has for them. `send` is tried at each submit; it closes the dialog when it succeeds. */
export function openForm({ title, lead, fields = {}, verb, send }) {
  const id = fresh("dialog");
  const summary = h("p", { class: "problem", role: "alert", hidden: true });
  const submit = h("button", { class: "primary" }, verb);
  const told = (problem) => {
    const left = new Map((problem?.errors ?? []).map((each) => [each.field, each.message]));
    const wrong = Object.entries(fields).filter(([name, field]) => field.problem?.(left.get(name) ?? null));
    for (const [name] of wrong) left.delete(name);
    summary.textContent = problem && !problem.errors?.length ? problem.message : [...left.values()].join(" ");
    summary.hidden = !summary.textContent;
    if (wrong.length) dialog.querySelector("[aria-invalid]").focus();
  };
  const sent = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      told(null);
      await send();
      dialog.close();
    } catch (problem) {
      if (isQuiet(problem)) dialog.close();
      else told(problem);
    }
    submit.disabled = false;
  };
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const nodes = Object.values(fields).map((each) => each.node);
  const dialog = h(
    "dialog",
    { "aria-labelledby": id, onclose: () => dialog.remove() },
    h(
      "form",
      { novalidate: "", onsubmit: sent },
      h("h2", { id }, title),
      lead && h("p", { class: "help" }, lead),
      nodes,
      summary,
      h("p", { class: "row" }, submit, cancel),
    ),
  );
  addEventListener("popstate", () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
}
