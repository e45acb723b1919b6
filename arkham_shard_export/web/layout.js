// The Word file that the reports of a template are laid out by: sent, fetched, left out.
import { button } from "./actions.js";
import { Problem, ask, request } from "./api.js";
import { h } from "./dom.js";
import { Upload } from "./fields.js";
import { told } from "./files.js";
import { openForm } from "./form.js";
import { ifUnchanged } from "./keep.js";
import { news } from "./toast.js";

const HELP =
  "A .docx of up to 5 MiB. The records stand where it says {{ records }}; {{ title }}, {{ exported_at }}, {{ record_count }} and others are filled in.";

export function openLayout(template, done) {
  const { id, name } = template;
  let file = null;
  const change = (path, body) => ask(`/templates/${id}${path}`, { method: "PUT", body, headers: ifUnchanged(template) });
  const laidOut = (saved, text) => {
    news(`${saved.name}: version ${saved.version}, ${text}.`);
    done();
  };
  const send = async () => {
    if (!file) throw new Problem(null, { errors: [{ field: "layout", message: "Choose a Word file." }] });
    const saved = await change("/layout", file);
    laidOut(saved, `laid out by ${file.name}`);
  };
  const leaveOut = async () => {
    const { target, format, description, filters, options, retention_hours, shared } = template;
    const body = { name, target, format, description, filters, options: { ...options, layout: undefined }, retention_hours, shared };
    const saved = await told(() => change("", body));
    if (!saved) return;
    present.closest("dialog").close();
    laidOut(saved, "without a layout");
  };
  const present = h(
    "p",
    { class: "row" },
    button("Get the one it has", () => told(() => fetched(template)), "plain"),
    button("Leave it out", leaveOut, "plain"),
  );
  openForm({
    title: `Lay out ${name}`,
    lead: "By a Word file of yours, with its letterhead, fonts and margins. It makes the next version; those before stay as they are.",
    fields: {
      layout: new Upload("layout.word_file", HELP, ".docx", (chosen) => (file = chosen)),
      ...(template.options.layout ? { present: { node: present } } : {}),
    },
    verb: "Save",
    send,
  });
}

async function fetched({ id, name }) {
  const answer = await request(`/templates/${id}/layout`);
  const url = URL.createObjectURL(await answer.blob());
  h("a", { href: url, download: `${name}.docx` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
