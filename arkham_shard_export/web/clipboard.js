// Copies; where the browser does not let a page do that, the text is shown selected for the person to copy.
import { h, say } from "./dom.js";
import { news } from "./toast.js";

export async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    news(told);
    say(told);
  } catch {
    offer(text);
  }
}

function offer(text) {
  const area = h("textarea", { readonly: "", rows: 5, "aria-label": "Text to copy" });
  area.value = text;
  const dialog = h(
    "dialog",
    { "aria-labelledby": "copy-title", onclose: () => dialog.remove() },
    h("h2", { id: "copy-title" }, "Copy this"),
    h("p", { class: "help" }, "Here the browser lets no page write to the clipboard: press Ctrl+C, or ⌘C."),
    area,
    h("form", { method: "dialog", class: "row" }, h("button", {}, "Close")),
  );
  document.body.append(dialog);
  dialog.showModal();
  area.select();
}
