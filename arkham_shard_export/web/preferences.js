// What is remembered on this machine: the keys of the manifest, and the last choices. Without storage nothing is.
const LAST = "last_export";

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value === null || value === "") localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing is asked again next time.
  }
}

const flag = (key) => ({ get: () => read(key) === "true", set: (on) => write(key, on ? "true" : "false") });

/** Whether an export made here is downloaded by itself as soon as it is complete. */
export const downloadAuto = flag("download_auto");

/** Whether the options of a new export are unfolded. */
export const showOptions = flag("show_options");

/** Whether to notify when a long export ends; what the browser allows is another matter. */
export const notifyEnd = flag("notify_end");

/** The format that a new export begins with. */
export const defaultFormat = { get: () => read("default_format"), set: (format) => write("default_format", format) };

/** What was chosen last: `{ target, format, byTarget: { claims: { filters, options } } }`. */
export const lastChoices = {
  get() {
    try {
      const kept = JSON.parse(read(LAST));
      return kept && typeof kept === "object" ? kept : {};
    } catch {
      return {};
    }
  },
  set: (choices) => write(LAST, JSON.stringify(choices)),
};
