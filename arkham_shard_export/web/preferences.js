// What is remembered on this machine: the keys of the manifest, and the last choices.
import { machine, parsed, tab } from "./storage.js";

const flag = (key) => ({ get: () => machine.get(key) === "true", set: (on) => machine.set(key, on ? "true" : "false") });

/** Whether an export made here is downloaded by itself as soon as it is complete. */
export const downloadAuto = flag("download_auto");

/** Whether the options of a new export are unfolded. */
export const showOptions = flag("show_options");

/** Whether to notify when a long export ends; what the browser allows is another matter. */
export const notifyEnd = flag("notify_end");

/** The format that a new export begins with. */
export const defaultFormat = {
  get: () => machine.get("default_format"),
  set: (format) => machine.set("default_format", format || null),
};

/** What was chosen last: `{ target, format, byTarget: { claims: { filters, options } } }`. */
export const lastChoices = {
  get: () => parsed(machine.get("last_export"), {}),
  set: (choices) => machine.set("last_export", JSON.stringify(choices)),
};

/** The batch that is being built, for this tab: `{ parts, continue_on_error }`. */
export const batch = {
  get: () => ({ parts: [], continue_on_error: false, ...parsed(tab.get("batch"), {}) }),
  set: (body) => tab.set("batch", body.parts.length ? JSON.stringify(body) : null),
};
