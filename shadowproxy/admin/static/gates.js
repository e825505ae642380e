// Each gate with its interval drawn against its limit, as the report draws it.

import { el, figure, stamp, svg, table } from "./dom.js";
import { duration, plain } from "./words.js";

const WIDTH = 280;
const HEIGHT = 30;
const FARTHEST = 8; // times the limit: an end beyond is drawn as going on

export function gates(record) {
  if (!record.gates?.length) return el("p", { class: "quiet" }, "Nothing is judged: no gates are set.");
  const rows = record.gates.flatMap((gate) => [row(gate), ...(gate.parts ?? []).map((part) => row(part, true))]);
  return [
    table(["gate", "", "verdict"], rows, { class: "gates stack" }),
    record.self_check && el("p", { class: "quiet" }, "Self-check: ", plain(record.self_check.sentence, 300)),
  ];
}

function row(gate, isPart = false) {
  const needed = gate.needed ? ` · about ${gate.needed.more.toLocaleString("en-US")} more, ${duration(gate.needed.seconds)} at the present rate` : "";
  return el(
    "tr",
    { class: isPart ? "part" : null },
    el("th", { scope: "row", title: gate.about }, plain(isPart ? gate.value : gate.title, 60), el("span", { class: "small quiet of-name" }, plain(gate.name, 80))),
    el("td", { class: "drawn" }, interval(gate)),
    el("td", { class: "of-verdict" }, stamp(gate.verdict), el("span", { class: "small quiet of-name" }, plain(gate.explanation ?? "", 300), needed)),
  );
}

function interval(gate) {
  const same = gate.unit === "x" ? 1 : 0;
  const x = scale(gate, same);
  const limit = x(gate.limit);
  const beyond = gate.operator === ">=" ? [0, limit] : [limit, WIDTH];
  const left = gate.low === null ? 2 : x(gate.low);
  const right = gate.high === null ? WIDTH - 2 : x(gate.high);
  const half = gate.low === null || gate.high === null;
  return svg(
    "svg",
    { class: `interval ${gate.verdict}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" },
    svg("title", {}, `${gate.title}: ${[gate.low, gate.estimate, gate.high].map((v) => (v === null ? "not known" : v.toPrecision(3))).join(", ")}; limit ${gate.limit}`),
    svg("rect", { class: "beyond", x: beyond[0], width: beyond[1] - beyond[0], y: 0, height: HEIGHT }),
    svg("line", { class: "base", x1: 0, x2: WIDTH, y1: 15, y2: 15 }),
    svg("line", { class: "same", x1: x(same), x2: x(same), y1: 9, y2: 21 }),
    !(gate.low === null && gate.high === null) && svg("line", { class: half ? "bar half" : "bar", x1: left, x2: right, y1: 15, y2: 15 }),
    [gate.low, gate.high].map((end) => end !== null && svg("line", { class: "cap", x1: x(end), x2: x(end), y1: 10, y2: 20 })),
    svg("line", { class: "limit", x1: limit, x2: limit, y1: 1, y2: HEIGHT - 1 }),
    gate.estimate !== null && svg("circle", { cx: x(gate.estimate), cy: 15, r: 4.5 }),
  );
}

function scale(gate, same) {
  const ends = [gate.low, gate.high].filter((end) => end !== null).map((end) => Math.abs(end - same));
  const reach = Math.max(Math.abs(gate.limit - same), Math.abs((gate.estimate ?? same) - same)) || Math.max(0, ...ends) || 1;
  const near = [gate.low, gate.high, gate.estimate].filter((end) => end !== null && Math.abs(end - same) <= FARTHEST * reach);
  const low = Math.min(same, gate.limit, ...near);
  const high = Math.max(same, gate.limit, ...near);
  const pad = 0.12 * Math.max(high - low, reach);
  return (value) => 2 + Math.min(1, Math.max(0, (value - low + pad) / (high - low + 2 * pad))) * (WIDTH - 4);
}

export function firstTable(screen) {
  const [, old, fresh, ...rest] = screen.columns;
  const heads = [
    "",
    { name: old, attributes: { class: "n of-production" } },
    { name: fresh, attributes: { class: "n of-candidate" } },
    ...rest.map((name) => ({ name, attributes: { class: name === "verdict" ? null : "n" } })),
  ];
  const rows = screen.rows.map((one) => {
    const cells = [one.old, one.new, one.difference, one.limit].map((cell, at) =>
      el("td", { class: cell.title ? "n" : "n nothing", "data-label": screen.columns[at + 1] }, figure(cell)),
    );
    const verdict = one.verdict.title ? el("span", { title: one.verdict.title }, stamp(one.verdict.shown)) : one.verdict.shown;
    return el("tr", {}, el("th", { scope: "row" }, one.name), cells, el("td", { class: one.verdict.title ? "of-verdict" : "of-verdict nothing", "data-label": "verdict" }, verdict));
  });
  return table(heads, rows, { class: "figures stack" });
}
