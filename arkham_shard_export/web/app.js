// The frame of the page: which view the address asks for, the way between views, and the door.
import { enter, token } from "./access.js";
import { address, current, route } from "./router.js";
import { fill, focusOn, h } from "./dom.js";
import { formatsView } from "./formats.js";
import { historyView } from "./history.js";
import { jobsView } from "./jobs.js";
import { newView } from "./new.js";
import { schedulesView } from "./schedules.js";
import { templatesView } from "./templates.js";
import { openPreferences } from "./settings.js";
import { resume } from "./watch.js";

/** A view is a function of the parameters in its address: it gives `{ title, node }`, and `update` where it can go on with others.
 * `signal` is aborted when it is left. */
const VIEWS = [
  { view: "", name: "New", make: newView },
  { view: "jobs", name: "Jobs", make: jobsView },
  { view: "templates", name: "Templates", make: templatesView },
  { view: "schedules", name: "Schedules", make: schedulesView },
  { view: "history", name: "History", make: historyView },
  { view: "formats", name: "Formats", make: formatsView },
];

const main = document.getElementById("main");
let shown = null;

function showView() {
  const { view, params } = current();
  const wanted = VIEWS.find((each) => each.view === view);
  if (shown && shown.view === view && shown.update?.(params)) return named();
  const first = shown === null;
  shown?.leaving.abort();
  const leaving = new AbortController();
  shown = { view, leaving, ...(wanted?.make ?? nowhere)(params, leaving.signal) };
  fill(main, shown.node);
  named();
  if (first) return;
  scrollTo(0, 0);
  focusOn(main.querySelector("h1"));
}

function named() {
  const title = typeof shown.title === "function" ? shown.title() : shown.title;
  document.title = `${title} · Export`;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === shown.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function nowhere() {
  const node = h(
    "section",
    {},
    h("h1", {}, "There is no such view"),
    h(
      "p",
      {},
      h("a", { href: address("") }, "Make a new export"),
      ", or look at the ",
      h("a", { href: address("jobs") }, "jobs"),
      ".",
    ),
  );
  return { title: "Not found", node };
}

function askForToken() {
  document.body.classList.add("closed");
  document.getElementById("door").hidden = false;
  document.getElementById("wrong").hidden = !token();
  document.getElementById("token").focus();
}

document.addEventListener("token-wanted", askForToken);
document.getElementById("door").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(document.getElementById("token").value.trim());
});
document.getElementById("home").href = address("");
document.getElementById("preferences").addEventListener("click", openPreferences);
fill(
  document.getElementById("views"),
  h(
    "ul",
    {},
    VIEWS.map(({ view, name }) => h("li", {}, h("a", { href: address(view), "data-view": view }, name))),
  ),
);
route(showView);
resume();
