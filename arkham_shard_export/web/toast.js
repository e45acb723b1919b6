// Short notes at the foot of the page. A trouble, and news that leads somewhere, stay until they are dismissed.
import { h } from "./dom.js";

const NEWS_MS = 8000;

/** `actions` are buttons or links that follow from the news. */
export function news(text, ...actions) {
  show("status", text, actions, actions.length ? null : NEWS_MS);
}

export function trouble(text) {
  show("alert", text, [], null);
}

function show(role, text, actions, ms) {
  const holder = document.getElementById("toasts");
  for (const each of holder.children) {
    if (each.firstChild.textContent === text) each.remove();
  }
  const close = h("button", { type: "button", class: "plain", "aria-label": "Dismiss", onclick: () => note.remove() }, "×");
  const note = h("div", { class: `toast ${role}`, role }, h("p", {}, text), ...actions, close);
  holder.append(note);
  while (holder.children.length > 3) holder.firstChild.remove();
  if (ms !== null) {
    let timer = setTimeout(() => note.remove(), ms);
    const stay = () => clearTimeout(timer);
    const leave = () => {
      timer = setTimeout(() => note.remove(), ms);
    };
    for (const [event, then] of [
      ["pointerenter", stay],
      ["focusin", stay],
      ["pointerleave", leave],
      ["focusout", leave],
    ])
      note.addEventListener(event, then);
  }
}
