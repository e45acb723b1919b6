// What stands in place of something that is not there: yet, at all, or because it could not be had.
import { h } from "./dom.js";

export const waiting = (text) => h("p", { class: "empty", role: "status" }, text);

export const nothing = (title, text, ...ways) =>
  h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, text), h("p", { class: "row" }, ...ways));

/** The host's sentence, and a way to ask again. */
export const failed = (title, problem, again) =>
  h(
    "div",
    { class: "empty", role: "alert" },
    h("h2", {}, title),
    h("p", {}, problem.message),
    h("p", { class: "row" }, h("button", { type: "button", onclick: again }, "Try again")),
  );
