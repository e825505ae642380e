// Two answers beside each other, line by line, with what differs marked: as in the report.

import { el } from "./dom.js";
import { milliseconds, plain } from "./words.js";

const MOST_LINES = 300;
const MOST_ROWS = 120;
const LONGEST = 400;
const AROUND = 2;

export function beside(pair) {
  const differences = pair.comparison?.differences ?? [];
  const texts = [textOf(pair.production), textOf(pair.shadow)];
  const body = texts.includes(null)
    ? [el("tr", {}, texts.map((text, at) => el("td", {}, text === null ? why([pair.production, pair.shadow][at]) : plain(text, LONGEST))))]
    : aligned(lines(texts[0]), lines(texts[1]), pair.comparison?.result !== "incomparable");
  return [
    request(pair),
    differences.length ? listed(differences) : null,
    el(
      "table",
      { class: "beside" },
      el("thead", {}, el("tr", {}, head(pair.production, "of-production"), head(pair.shadow, "of-candidate"))),
      el("tbody", {}, body),
    ),
  ];
}

function request(pair) {
  const { method, target, body, body_encoding: encoding } = pair.request ?? {};
  return [
    el("p", { class: "small quiet" }, plain(method), " ", plain(target, 200), " · request ", plain(pair.id), " · pair ", plain(pair.pair_id)),
    body ? el("pre", { class: "body" }, encoding === "utf8" ? plain(body, 600) : "(binary)") : null,
  ];
}

function listed(differences) {
  const rows = differences.slice(0, 10).map((one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("code", {}, plain(one.path, 100))),
      el("td", {}, plain(one.kind, 20)),
      el("td", {}, el("code", {}, plain(JSON.stringify(one.production ?? null), 80))),
      el("td", {}, el("code", {}, plain(JSON.stringify(one.shadow ?? null), 80))),
    ),
  );
  const heads = ["differs", "kind", "production", "candidate"].map((name) => el("th", { scope: "col" }, name));
  return el("div", { class: "scroll" }, el("table", { class: "small" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
}

function head(side, of) {
  const timing = side?.timing_ms ?? {};
  const latency = timing.total === undefined || timing.total === null ? null : Math.max(0, timing.total - (timing.sent ?? 0) - (timing.stalled ?? 0));
  const facts = [
    side?.status === null || side?.status === undefined ? null : `HTTP ${side.status}`,
    side?.outcome === "complete" ? null : plain(side?.outcome ?? side?.dropped),
    latency === null ? null : milliseconds(latency),
    side?.error ? plain(side.error, 100) : null,
    side?.body_truncated ? "cut off in the log" : null,
  ].filter(Boolean);
  return el("th", { scope: "col", class: of }, plain(side?.upstream, 40), " · ", facts.join(" · "));
}

function textOf(side) {
  return side?.body_encoding === "utf8" && typeof side.body === "string" ? side.body : null;
}

function why(side) {
  if (side?.body_encoding === "base64") return `binary, ${side.body_bytes ?? 0} bytes`;
  return side?.body_bytes ? `${plain(side.body_encoding)}, ${side.body_bytes} bytes` : "no body";
}

function lines(text) {
  let whole = text;
  try {
    whole = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // no JSON: as it is
  }
  return whole.split("\n", MOST_LINES).map((line) => plain(line, LONGEST));
}

// The longest common subsequence of lines; what is not in it stands beside each other.
function aligned(a, b, mark) {
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1) common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  const rows = [];
  let [i, j, olds, news] = [0, 0, [], []];
  const flush = () => {
    for (let n = 0; n < Math.max(olds.length, news.length); n += 1) rows.push({ old: olds[n], new: news[n], differs: true });
    [olds, news] = [[], []];
  };
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      flush();
      rows.push({ old: a[i], new: b[j], differs: false });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) olds.push(a[i++]);
    else news.push(b[j++]);
  }
  flush();
  return folded(rows).slice(0, MOST_ROWS).map((row) => drawn(row, mark));
}

// Long runs of equal lines become one row that says how many they are.
function folded(rows) {
  const near = rows.map((_, at) => rows.slice(Math.max(0, at - AROUND), at + AROUND + 1).some((row) => row.differs));
  const kept = [];
  for (let at = 0; at < rows.length; at += 1) {
    if (near[at] || !rows.some((row) => row.differs)) kept.push(rows[at]);
    else if (kept.at(-1)?.skipped) kept.at(-1).skipped += 1;
    else kept.push({ skipped: 1 });
  }
  return kept;
}

function drawn(row, mark) {
  if (row.skipped) return el("tr", { class: "skipped" }, el("td", { colspan: 2 }, `⋯ ${row.skipped} equal ${row.skipped === 1 ? "line" : "lines"}`));
  if (!row.differs) return el("tr", { class: "equal" }, el("td", {}, row.old), el("td", {}, row.new));
  if (!mark) return el("tr", {}, el("td", {}, row.old), el("td", {}, row.new));
  const [before, old, fresh, after] = apart(row.old ?? "", row.new ?? "");
  const side = (text, there) => el("td", {}, there === undefined ? null : [before, text ? el("mark", { class: "found" }, text) : null, after]);
  if (row.old === undefined || row.new === undefined) {
    return el("tr", {}, [row.old, row.new].map((text) => el("td", {}, text === undefined ? null : el("mark", { class: "found" }, text))));
  }
  return el("tr", {}, side(old, row.old), side(fresh, row.new));
}

// What two lines begin and end with alike, by whole words.
function apart(old, fresh) {
  const [a, b] = [old, fresh].map((line) => line.match(/\s+|\w+|[^\w\s]/gu) ?? []);
  let from = 0;
  while (from < Math.min(a.length, b.length) && a[from] === b[from]) from += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - from && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const middle = (words) => words.slice(from, words.length - end).join("");
  return [a.slice(0, from).join(""), middle(a), middle(b), end ? a.slice(a.length - end).join("") : ""];
}
