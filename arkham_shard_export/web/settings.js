// The few things that a person sets once, kept on this machine.
import { ask } from "./api.js";
import { h } from "./dom.js";
import { defaultFormat, downloadAuto, notifyEnd } from "./preferences.js";
import { allowNotifications } from "./watch.js";

export function openPreferences() {
  const auto = h("input", {
    type: "checkbox",
    checked: downloadAuto.get(),
    "aria-describedby": "auto-help",
    onchange: () => downloadAuto.set(auto.checked),
  });
  const notifyHelp = h(
    "p",
    { class: "help", id: "notify-help" },
    "Of exports made here that took longer than 10 seconds. The browser asks whether it may.",
  );
  const notify = h("input", {
    type: "checkbox",
    checked: notifyEnd.get(),
    "aria-describedby": "notify-help",
    onchange: () => setNotify(notify, notifyHelp),
  });
  const format = h(
    "select",
    { id: "default-format", "aria-describedby": "default-help", onchange: () => defaultFormat.set(format.value) },
    h("option", { value: "" }, "The one chosen last"),
  );
  const dialog = h(
    "dialog",
    {
      class: "preferences",
      "aria-labelledby": "preferences-title",
      onclose: () => dialog.remove(),
      onclick: (event) => event.target === dialog && dialog.close(),
    },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "preferences-title" }, "Preferences"),
      h(
        "div",
        { class: "field switch" },
        h("label", {}, auto, h("span", {}, "Download by itself")),
        h("p", { class: "help", id: "auto-help" }, "As soon as an export made here is complete, its file is downloaded."),
      ),
      h("div", { class: "field switch" }, h("label", {}, notify, h("span", {}, "Notify me when an export ends")), notifyHelp),
      h(
        "div",
        { class: "field" },
        h("label", { for: "default-format" }, "New exports begin with"),
        format,
        h("p", { class: "help", id: "default-help" }, "The format that is chosen when a new export is begun."),
      ),
      h("p", { class: "help" }, "Kept in this browser, for this host."),
      h("p", { class: "row" }, h("button", { class: "primary" }, "Done")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  offerFormats(format);
}

async function setNotify(input, help) {
  if (!input.checked) return notifyEnd.set(false);
  input.checked = await allowNotifications();
  if (!input.checked) help.textContent = "The browser does not allow it: change that in its settings for this site.";
  return null;
}

async function offerFormats(select) {
  const formats = await ask("/formats").catch(() => []);
  const names = new Map(formats.filter((each) => each.available).map((each) => [each.format, each.name]));
  const kept = defaultFormat.get();
  if (kept && !names.has(kept)) names.set(kept, kept.toUpperCase());
  select.append(...[...names].map(([value, name]) => h("option", { value }, name)));
  select.value = kept ?? "";
}
