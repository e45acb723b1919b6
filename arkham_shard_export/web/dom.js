// Elements are made here and nowhere else: always of text, never of markup, so that no record can be more than text.
const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "hidden", "disabled", "open", "selected", "required", "multiple"]);

/** An element. `on…` are listeners; what is null or undefined is left out, as child and as attribute. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An element of a drawing. */
export function s(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...present(children));
  return node;
}

function present(children) {
  return children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false);
}

/** Put these in place of whatever the element holds. */
export function fill(node, ...children) {
  node.replaceChildren(...present(children));
  return node;
}

let made = 0;

/** A name for an element that another refers to. */
export function fresh(stem) {
  made += 1;
  return `${stem}-${made}`;
}

/** Read out what has happened, for those who do not see it. */
export function say(text) {
  const region = document.getElementById("said");
  // The same text twice in a row is news too.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** Move the focus to what is not reached by the keyboard alone: a heading. */
export function focusOn(node) {
  if (!node) return;
  if (!node.hasAttribute("tabindex")) node.setAttribute("tabindex", "-1");
  node.focus({ preventScroll: true });
}

/** The facts of something: names and what they are. */
export function facts(pairs, attributes = {}) {
  const shown = pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined && pair[1] !== "");
  return h(
    "dl",
    { class: "facts", ...attributes },
    shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** A table in a frame that scrolls, which the keyboard reaches. */
export function table(label, head, rows, attributes = {}) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      attributes,
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((each) => h("th", { scope: "col", class: each.number ? "number" : null }, each.text ?? each)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}
