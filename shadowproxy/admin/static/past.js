// Trials and history: what was tried, and who answered users since when.

import { get } from "./api.js";
import { el, fill, stamp, table } from "./dom.js";
import { count, duration, moment, percent, plain, words } from "./words.js";

const MOST = 50;

export async function trials() {
  const { items } = await get("trials");
  const rows = items.slice(0, MOST).map((one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, plain(one.candidate, 40)),
      el("td", {}, el("code", {}, plain(one.trial, 60))),
      el("td", {}, versions(one.production_versions), " → ", versions(one.shadow_versions)),
      el("td", {}, one.first_ts ? span(moment(one.first_ts), moment(one.last_ts)) : "no pair yet"),
      el("td", { class: "n" }, count(one.pairs)),
      el("td", {}, one.present ? stamp(one.verdict) : el("span", { class: "quiet" }, "over")),
    ),
  );
  const heads = ["candidate", "trial", "versions", "from – to, UTC", { name: "pairs", attributes: { class: "n" } }, "verdict"];
  fill(document.getElementById("trials"), rows.length ? table(heads, rows) : el("p", { class: "quiet" }, "None yet."));
}

// The day is said once where it is one.
function span(first, last) {
  return `${first} – ${last.slice(0, 10) === first.slice(0, 10) ? last.slice(11) : last}`;
}

function versions(found) {
  const named = (found ?? []).filter(Boolean).map((one) => plain(one, 20));
  return named.length ? named.join(", ") : "–";
}

function remarks(one) {
  const said = [
    one.forced ? `forced: ${plain(one.forced, 100)}` : "",
    one.reason ? plain(one.reason, 100) : "",
    one.share ? `${percent(one.share)} of users` : "",
    one.rolled_back ? `rolled back ${moment(one.rolled_back)}` : "",
  ];
  return said.filter(Boolean).join(" · ");
}

// Whether there is a promotion to roll back.
export async function history() {
  const found = await get("history", { limit: MOST });
  const rows = found.items.map((one) =>
    el(
      "tr",
      {},
      el("td", { class: "whole" }, moment(one.at)),
      el("th", { scope: "row", class: "whole" }, words(one.action)),
      el("td", { class: "whole" }, plain(one.from, 40), " → ", plain(one.to, 40)),
      el("td", {}, one.verdict ? stamp(one.verdict) : "–"),
      el("td", { class: "n" }, count(one.pairs)),
      el("td", {}, plain(one.by, 60)),
      el("td", {}, remarks(one)),
    ),
  );
  const figures = el(
    "p",
    { class: "quiet" },
    `${(found.deployments_per_month ?? 0).toFixed(1)} deployments a month · median time to a verdict ${duration(found.median_time_to_verdict_s)} · ${percent(found.share_rolled_back)} rolled back`,
  );
  const heads = ["when, UTC", "what", "from → to", "verdict", { name: "pairs", attributes: { class: "n" } }, "by", ""];
  const shown = rows.length ? [figures, table(heads, rows)] : el("p", { class: "quiet" }, "Nothing was promoted yet.");
  fill(document.getElementById("history"), shown);
  return found.items.some((one) => one.action === "promoted" && !one.rolled_back);
}
