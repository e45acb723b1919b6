// A view that is a list of what the host has: asked for as a whole, or in pages that are shown one after another.
import { button } from "./actions.js";
import { askPatiently, isQuiet } from "./api.js";
import { fill, h } from "./dom.js";
import { failed, waiting } from "./empty.js";
import { some } from "./words.js";

const LIMIT = 100;

/** `name` is the field of the answer that holds the list; `entry` makes a line of each, and can have all asked for again. */
export function listView({ title, lead, name, entry, none, kind, path = `/${name}` }, signal) {
  const holder = h("div", {}, waiting("Asking the host…"));
  const again = (then) => load(LIMIT, typeof then === "string" ? then : null);
  async function load(limit, then) {
    try {
      const pages = [];
      let total = 1;
      for (let offset = 0; offset < Math.min(total, limit); offset += LIMIT) {
        const page = await askPatiently(`${path}?limit=${LIMIT}&offset=${offset}`, { signal });
        total = page.total;
        pages.push(...page[name]);
      }
      if (signal.aborted) return;
      const left = total - pages.length;
      fill(
        holder,
        total ? h("ul", { class: "entries" }, pages.map((each) => entry(each, again))) : none(),
        left > 0 && button(`Show more: there are ${some(left, kind)} besides`, () => load(limit + LIMIT)),
      );
      if (then) holder.querySelector(then)?.focus();
    } catch (problem) {
      if (!isQuiet(problem, signal)) fill(holder, failed(`The ${name} cannot be shown`, problem, again));
    }
  }
  load(LIMIT);
  const head = h("header", { class: "head" }, h("h1", {}, title), h("p", { class: "lead" }, lead));
  return { title, node: h("div", {}, head, holder) };
}
