// The templates of the host and of the tenant: used, run, changed, with their versions.
import { begin, button } from "./actions.js";
import { ask } from "./api.js";
import { facts, fill, h } from "./dom.js";
import { nothing } from "./empty.js";
import { told } from "./files.js";
import { openForm } from "./form.js";
import { openSchedule, openTemplate } from "./keep.js";
import { openLayout } from "./layout.js";
import { listView } from "./list.js";
import { address } from "./router.js";
import { moment, titled } from "./words.js";

export const templatesView = (_params, signal) =>
  listView(
    {
      title: "Templates",
      lead: "Exports under a name, to be made again or begun with. One that is changed keeps its versions.",
      name: "templates",
      kind: "template",
      entry,
      none: () =>
        nothing("No templates", "New can save what is chosen as one.", h("a", { href: address("") }, "Make a new export")),
    },
    signal,
  );

function entry(template, again) {
  const { id, name, built_in: builtIn } = template;
  const use = (version) => address("", { template: id, version });
  const of = (node) => {
    node.setAttribute("aria-label", `${node.textContent} ${name}`);
    return node;
  };
  return h(
    "li",
    { class: "format-entry", "data-template": id },
    h("h2", {}, name, builtIn ? h("span", { class: "extension" }, " built in") : null),
    h("p", { class: "purpose" }, template.description),
    facts([
      ["Target", titled(template.target)],
      ["Format", template.format.toUpperCase()],
      ["Owner", builtIn ? null : `${template.created_by}, ${template.shared ? "shared" : "for the owner alone"}`],
      ["Version", builtIn ? null : [`${template.version}, of ${moment(template.updated_at)} `, versions(template, use)]],
    ]),
    h(
      "p",
      { class: "row" },
      of(h("a", { class: "button", href: use() }, "Use")),
      of(button("Run now", () => told(() => begin({ template: id })))),
      of(button("Schedule", () => openSchedule({ template: id }, name), "plain")),
      builtIn ? null : of(button("Change", () => told(() => change(id, again)), "plain")),
      builtIn || template.format !== "docx" ? null : of(button("Layout", () => told(() => layOut(id, again)), "plain")),
      builtIn ? null : of(button("Delete", () => remove(template, again), "plain")),
    ),
  );
}

function versions({ id, name }, use) {
  const holder = h("ul", {});
  const fold = h("details", { class: "versions" }, h("summary", { "aria-label": `Versions of ${name}` }, "Versions"), holder);
  fold.addEventListener("toggle", async () => {
    const found = fold.open && (await told(() => ask(`/templates/${id}/versions`)));
    if (!found) return;
    const line = (each) => [`${each.version}: ${each.name}, ${moment(each.updated_at)}, by ${each.updated_by} `,
      h("a", { href: use(each.version), "aria-label": `Use version ${each.version} of ${name}` }, "Use")];
    fill(holder, found.versions.map((each) => h("li", {}, line(each))));
  });
  return fold;
}

async function change(id, again) {
  const template = await ask(`/templates/${id}`);
  const { target, format, filters, options, retention_hours } = template;
  openTemplate({ body: { target, format, filters, options, retention_hours }, template, done: () => again(`[data-template="${id}"] a`) });
}

async function layOut(id, again) {
  const template = await ask(`/templates/${id}`);
  openLayout(template, () => again(`[data-template="${id}"] a`));
}

const remove = ({ id, name }, again) =>
  openForm({
    title: `Delete ${name}?`,
    lead: "With all of its versions. Jobs that were made of it stay; schedules that use it will fail.",
    verb: "Delete",
    async send() {
      await ask(`/templates/${id}`, { method: "DELETE" });
      again(".entries a");
    },
  });
