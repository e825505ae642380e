// One candidate: the report's first screen in its very words, what happens live, charts, gates, and pairs to look at.

import { get } from "./api.js";
import { charts } from "./charts.js";
import { Controls } from "./controls.js";
import { el, figure, fill, stamp, svg, withCode } from "./dom.js";
import { firstTable, gates } from "./gates.js";
import { Pairs } from "./pairs.js";
import { count, percent, plain, words } from "./words.js";

export class Candidate {
  constructor(name, refused) {
    this.name = name;
    this.record = null;
    this.asking = false;
    this.heading = el("h2", {}, plain(name, 40));
    this.summary = el("p", { class: "summary", "aria-live": "polite" });
    this.reason = el("p");
    this.scale = el("p", { class: "scale quiet" });
    this.live = el("dl", { class: "live" });
    this.table = el("div");
    this.notes = el("div");
    this.after = el("ul", { class: "after" });
    this.gates = el("div", {}, el("p", { class: "quiet" }, "Not judged yet."));
    this.undrawn = el("p", { class: "quiet" }, "Too few pairs to draw anything yet.");
    this.charts = charts();
    this.accounts = el("div", { class: "accounts-of" });
    this.pairs = new Pairs(name);
    this.controls = new Controls(name, refused);
    const part = (title, ...inside) => el("section", {}, el("h3", {}, title), ...inside);
    this.node = el(
      "article",
      { class: "candidate", id: `candidate-${encodeURIComponent(name)}`, "aria-label": plain(name, 40) },
      el("header", { class: "first" }, this.heading, this.summary, this.reason, this.scale),
      this.live,
      this.controls.node,
      this.table,
      this.notes,
      this.after,
      part("Gates", this.gates),
      part("Over time, and within pairs", this.undrawn, el("div", { class: "charts" }, this.charts.nodes)),
      part("Outcomes, and what was dropped", this.accounts),
      part("Latest pairs that decide differently", this.pairs.node),
    );
  }

  showLive(status) {
    const ledger = status.ledger ?? {};
    if (this.record && status.trial && this.record.trial !== status.trial) this.forget();
    this.pairs.of(status.trial);
    this.controls.show(status, this.record?.verdict ?? status.verdict ?? null);
    fill(
      this.live,
      LIVE.map(([term, title, value]) => el("div", {}, el("dt", { title }, term), el("dd", {}, value(status, ledger)))),
    );
    fill(this.accounts, outcomes(ledger));
    if (!this.record) this.showHead({ heading: plain(this.name, 40), verdict: status.verdict, summary: status.headline ?? `${plain(this.name, 40)} has not been judged yet.` });
  }

  // The trial is over: what was known of it says nothing of the one that has begun.
  forget() {
    this.record = null;
    for (const node of [this.table, this.notes, this.after]) node.replaceChildren();
    fill(this.gates, el("p", { class: "quiet" }, "Not judged yet."));
    this.charts.clear();
    this.undrawn.hidden = false;
  }

  showHead({ heading, verdict, summary, reason = "", scale = [] }) {
    fill(this.heading, heading, " ", stamp(verdict));
    if (this.summary.textContent !== summary) this.summary.textContent = summary;
    fill(this.reason, reason);
    fill(this.scale, scale.map((one, at) => [at ? " · " : "", figure(one)]));
  }

  // The record as `report --format json` has it.
  async refresh() {
    if (this.asking) return;
    this.asking = true;
    try {
      const record = await get(`candidates/${encodeURIComponent(this.name)}/verdict`);
      if (record.screen) this.showRecord(record);
    } finally {
      this.asking = false;
    }
  }

  showRecord(record) {
    this.record = record;
    const { screen } = record;
    this.showHead(screen);
    fill(this.table, screen.rows.length ? firstTable(screen) : null);
    fill(this.notes, screen.notes.map((note) => el("p", { class: "note quiet" }, note)));
    fill(
      this.after,
      screen.hints.map((hint) => el("li", { class: "hint" }, el("strong", {}, "Hint: "), withCode(hint))),
      el("li", {}, el("strong", {}, "What is not known: "), screen.not_known),
      screen.next.map((step) => el("li", {}, el("strong", {}, "Next: "), step.what)),
    );
    fill(this.gates, gates(record));
    this.undrawn.hidden = this.charts.show(record);
  }
}

const LIVE = [
  ["Sample", "Share of eligible requests that are copied to it.", (status) => (status.paused ? "paused" : percent(status.sample))],
  ["Coverage", "Copies that lie in the log as pairs, as a share of the copies that it should have had.", (status) => percent(status.coverage)],
  ["Agreement", "Share of decided pairs in which it decides as production does, in this trial; the difference with its interval stands below.", (status) => percent(status.agreement)],
  ["Copies sent", "Copies sent in this trial.", (_, ledger) => count(ledger.sent ?? 0)],
  ["Pairs logged", "Copies of this trial that lie in the log as pairs.", (_, ledger) => count(ledger.logged ?? 0)],
  ["In flight", "Copies that have no answer yet.", (status) => count(status.in_flight)],
];

function outcomes(ledger) {
  const parts = [
    ["requests to the proxy", ledger.requests, 0],
    ["no route matched", ledger.unmatched, 1],
    ...reasons("excluded by rule: ", ledger.excluded),
    ["eligible", ledger.eligible, 0],
    ["sampled out", ledger.sampled_out, 1],
    ...reasons("dropped: ", ledger.dropped),
    ["copies sent", ledger.sent, 0],
    ...reasons("finished: ", ledger.finished),
    ...reasons("not logged: ", ledger.unlogged),
    ["logged as pairs", ledger.logged, 0],
  ];
  const of = ledger.requests || ledger.eligible || 1;
  const rows = parts
    .filter(([, n, level]) => level === 0 || n)
    .map(([name, n, level]) =>
      el(
        "tr",
        { class: level ? "level2" : "level1" },
        el("th", { scope: "row" }, name),
        el("td", { class: "n" }, count(n ?? 0)),
        el("td", { class: "n quiet" }, percent((n ?? 0) / of)),
        el("td", {}, svg("svg", { class: "bars", viewBox: "0 0 160 10", "aria-hidden": "true" }, svg("rect", { y: 1, height: 8, width: Math.min(160, (160 * (n ?? 0)) / of).toFixed(1) }))),
      ),
    );
  return el("div", { class: "scroll" }, el("table", { class: "accounts" }, el("tbody", {}, rows)));
}

function reasons(prefix, counts) {
  return Object.entries(counts ?? {}).map(([reason, n]) => [prefix + words(reason), n, 1]);
}
