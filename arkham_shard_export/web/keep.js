// A request that is kept: saved as a template, made again by a plan.
import { ask } from "./api.js";
import { h } from "./dom.js";
import { Line, Switch } from "./fields.js";
import { openForm } from "./form.js";
import { PlanFields } from "./plan.js";
import { address } from "./router.js";
import { news } from "./toast.js";

const NAME = "What it is found by.";

/** That a change is of the version that was shown. */
export const ifUnchanged = ({ id, version }) => ({ "if-match": `"${id}.${version}"` });

/** Save a request as a template, or `template` under another name or description. */
export function openTemplate({ body, template = null, done = () => {} }) {
  const given = { name: template?.name ?? "", description: template?.description ?? "", shared: template?.shared ?? true };
  const keep = (name) => (value) => {
    given[name] = value ?? "";
  };
  openForm({
    title: template ? `Change ${template.name}` : "Save as template",
    lead: template
      ? "Its versions before stay as they are."
      : "Target, format, filters and options as they are chosen now. Nothing of the records.",
    fields: {
      name: new Line("template.name", { description: NAME }, given.name, keep("name"), "text"),
      description: new Line("template.description", { description: "For whoever chooses it." }, given.description, keep("description"), "text"),
      shared: new Switch("template.shared", { description: "Others may use it; else you alone." }, given.shared, keep("shared")),
    },
    verb: template ? "Save" : "Save the template",
    async send() {
      const path = template ? `/templates/${template.id}` : "/templates";
      const headers = template ? ifUnchanged(template) : {};
      const saved = await ask(path, { method: template ? "PUT" : "POST", body: { ...body, ...given }, headers });
      news(`Saved as ${saved.name}.`, h("a", { href: address("templates") }, "Templates"));
      done(saved);
    },
  });
}

/** Have a request made again and again. */
export function openSchedule(request, proposed = "") {
  let name = proposed;
  const plan = new PlanFields();
  const names = ["every", "cron", "time_zone"];
  const part = (field) => ({ problem: (message) => field.problem(message) });
  const fields = {
    name: new Line("schedule.name", { description: NAME }, name, (value) => (name = value ?? ""), "text"),
    plan: { node: plan.node },
    ...Object.fromEntries(names.map((each) => [each, part(each === "time_zone" ? plan.zone : plan[each])])),
  };
  openForm({
    title: "Schedule this",
    lead: request.template
      ? "The template as it is then, made again by this plan."
      : "The request as it is chosen now, made again by this plan.",
    fields,
    verb: "Schedule it",
    async send() {
      const saved = await ask("/schedules", { method: "POST", body: { name, request, ...plan.plan() } });
      news(`${saved.name} is scheduled.`, h("a", { href: address("schedules", { scheduleId: saved.id }) }, "Show it"));
    },
  });
}
