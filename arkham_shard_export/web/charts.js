// Charts as drawings of our own, in the width that there is, so that their text keeps its size. Each has a title, a description,
// and the same as a table.
import { fill, fresh, h, s, table } from "./dom.js";

const HEIGHT = 200;
const LEFT = 48;
const BOTTOM = 24;
const TOP = 12;

/** A figure. `draw` gives the parts of the drawing for a width; `head` and `rows` are the table. */
export function figure({ title, description, legend, draw, head, rows, height = HEIGHT }) {
  const names = [fresh("title"), fresh("description")];
  const svg = s("svg", { role: "img", "aria-labelledby": names.join(" "), class: "chart" });
  let drawn = 0;
  const redraw = (pixels) => {
    // As large as the text around it.
    const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const width = Math.round(pixels / scale);
    if (Math.abs(width - drawn) < 2 || width < 60) return;
    drawn = width;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", Math.round(height * scale));
    fill(svg, s("title", { id: names[0] }, title), s("desc", { id: names[1] }, description), draw(width));
  };
  const frame = h("div", { class: "frame" }, svg);
  new ResizeObserver(([entry]) => redraw(entry.contentRect.width)).observe(frame);
  return h(
    "figure",
    {},
    h(
      "figcaption",
      {},
      h("h2", {}, title),
      legend
        ? h(
            "ul",
            { class: "legend", "aria-hidden": "true" },
            legend.map(([name, text]) => h("li", { class: name }, text)),
          )
        : null,
    ),
    frame,
    h("p", { class: "help" }, description),
    h("details", {}, h("summary", { "aria-label": `As a table: ${title}` }, "As a table"), table(title, head, rows)),
  );
}

/** Columns side by side, each of stacked parts `{ name, value }`; `label` stands under some of them. */
export function columns(width, data, shown) {
  const most = ceiling(Math.max(1, ...data.map((each) => sum(each.parts))));
  const height = HEIGHT - BOTTOM - TOP;
  const step = (width - LEFT) / data.length;
  const thick = Math.max(1, Math.min(step * 0.75, 56));
  const y = (value) => TOP + height * (1 - value / most);
  const every = Math.ceil((data.some((each) => each.label.length > 7) ? 96 : 78) / step);
  return [
    grid(width, most, y, shown),
    data.map((each, at) => {
      const x = LEFT + at * step + (step - thick) / 2;
      let below = 0;
      const parts = each.parts
        .filter((part) => part.value > 0)
        .map((part) => {
          const [from, to] = [y(below), y(below + part.value)];
          below += part.value;
          return s("rect", { class: part.name, x, y: to, width: thick, height: Math.max(1, from - to) });
        });
      // From the right, so that the last one, which is today, has its label.
      const named = (data.length - 1 - at) % every === 0;
      const last = at === data.length - 1 && every > 1;
      const place = last ? { x: width, "text-anchor": "end" } : { x: x + thick / 2, "text-anchor": "middle" };
      return s(
        "g",
        {},
        s("title", {}, each.told),
        parts,
        named ? s("text", { class: "label", y: HEIGHT - 6, ...place }, each.label) : null,
      );
    }),
  ];
}

/** Bars below each other, each with its name and what it comes to. */
export function bars(width, data) {
  const most = Math.max(1, ...data.map((each) => sum(each.parts)));
  const names = Math.min(110, width * 0.3);
  const values = 90;
  const room = Math.max(20, width - names - values);
  return data.map((each, at) => {
    const y = at * 34 + 6;
    let x = names;
    const parts = each.parts
      .filter((part) => part.value > 0)
      .map((part) => {
        const length = Math.max(2, (part.value / most) * room);
        const made = s("rect", { class: part.name, x, y, width: length, height: 18 });
        x += length;
        return made;
      });
    return s(
      "g",
      {},
      s("title", {}, each.told),
      s("text", { class: "name", x: 0, y: y + 14 }, each.label),
      parts,
      s("text", { class: "label", x: x + 8, y: y + 14 }, each.value),
    );
  });
}

export const barsHeight = (number) => Math.max(1, number) * 34 + 4;

const sum = (parts) => parts.reduce((total, each) => total + each.value, 0);

/** The least round number that is not smaller. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= value);
}

function grid(width, most, y, shown) {
  const halves = Number.isInteger(most / 2) || most > 10 ? [0, most / 2, most] : [0, most];
  return halves.map((value) => [
    s("line", { class: "grid", x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
    s("text", { class: "label", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, shown(value)),
  ]);
}
