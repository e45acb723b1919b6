// A template as the beginning of a new export.
import { ask } from "./api.js";
import { fresh, h } from "./dom.js";
import { told } from "./files.js";
import { go } from "./router.js";
import { news } from "./toast.js";

/** The choices of a saved template; where it is not there any more, that is said and the others stay. */
export async function useTemplate(choices, { template, version }, signal) {
  const id = encodeURIComponent(template);
  const path = `/templates/${id}${version ? `/versions/${encodeURIComponent(version)}` : ""}`;
  const found = await told(() => ask(path, { signal }));
  if (!found) return;
  choices.take(found);
  news(`${found.name} is filled in.`);
}

/** Templates are asked for when the view is there; without an answer there are none to choose. */
export function templateSelect(signal) {
  const id = fresh("use");
  const select = h("select", { id, onchange: () => go("", { template: select.value }) }, h("option", { value: "" }, "Choose…"));
  const options = (list) => list.map((each) => h("option", { value: each.id }, each.name));
  const group = (label, list) => list.length && select.append(h("optgroup", { label }, options(list)));
  ask("/templates?limit=200", { signal })
    .then(({ templates }) => {
      group("Saved", templates.filter((each) => !each.built_in));
      group("Built in", templates.filter((each) => each.built_in));
    })
    .catch(() => {});
  return h("div", { class: "use" }, h("label", { for: id }, "Use a template"), select);
}
