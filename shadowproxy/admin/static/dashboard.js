// The dashboard: one stream of what runs, and the records and pairs that it says have changed.

import { Refused, follow, token } from "./api.js";
import { banners } from "./banners.js";
import { Candidate } from "./candidate.js";
import { GlobalControls } from "./controls.js";
import { el, fill, stamp } from "./dom.js";
import { history, trials } from "./past.js";
import { count, plain } from "./words.js";

const PAIRS_MS = 3000;
const PAST_MS = 60_000;
const TICK_MS = 5000;

const cards = new Map(); // by name
const judged = new Map(); // by name: what the stream last said of its verdict
const grown = new Map(); // by name: [pairs logged, when that was last seen to grow]
const connection = { lost: false, since: "" };
let status = null;
let rate = null;

const refused = (error) => enter(error.message);
const steering = new GlobalControls(refused);

function show(fresh) {
  measure(fresh);
  status = fresh;
  document.getElementById("past").hidden = false;
  fill(document.getElementById("proxy"), facts(fresh).map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
  steering.show(fresh);
  const names = fresh.candidates.map((candidate) => candidate.name);
  for (const [name, card] of cards) {
    if (names.includes(name)) continue;
    card.node.remove();
    cards.delete(name);
  }
  const place = document.getElementById("candidates");
  for (const candidate of fresh.candidates) {
    if (!cards.has(candidate.name)) {
      cards.set(candidate.name, new Candidate(candidate.name, refused));
      const { node } = cards.get(candidate.name);
      place.append(node);
      // A notice's link names a candidate that was not there yet when the browser looked for it.
      if (location.hash === `#${node.id}`) node.scrollIntoView();
      refresh(candidate.name);
    }
    cards.get(candidate.name).showLive(candidate);
    note(candidate);
  }
  if (!names.length) fill(place, el("p", {}, "No candidate is configured: `shadowproxy add NAME=URL` adds one."));
  contents(fresh);
  warn();
}

function measure(fresh) {
  const now = performance.now();
  if (status && fresh.requests >= status.requests && rate) {
    const seconds = (now - rate.at) / 1000;
    if (seconds >= 1) rate = { at: now, requests: fresh.requests, per_s: (fresh.requests - rate.requests) / seconds };
  } else {
    rate = { at: now, requests: fresh.requests, per_s: null };
  }
}

function note(candidate) {
  const logged = candidate.ledger?.logged ?? 0;
  const [before, at] = grown.get(candidate.name) ?? [null, undefined];
  if (logged !== before) grown.set(candidate.name, [logged, before === null ? undefined : Date.now()]);
  else grown.set(candidate.name, [logged, at]);
}

function facts(fresh) {
  const ready = fresh.workers.filter((worker) => worker.state === "ready").length;
  return [
    ["production", [plain(fresh.production.name, 40), fresh.production.version ? ` (${plain(fresh.production.version, 20)})` : ""]],
    ["requests", [el("span", { id: "requests" }, count(fresh.requests)), rate?.per_s === null || rate?.per_s === undefined ? "" : ` · ${rate.per_s.toFixed(1)}/s`]],
    ["workers", `${ready} of ${fresh.workers.length} ready`],
    ["recorder", fresh.recorder ? plain(fresh.recorder.state, 20) : "down"],
    ["listens on", plain(fresh.listen, 60)],
  ];
}

function contents(fresh) {
  const links = fresh.candidates.map((one) => {
    const link = el("a", { href: `#candidate-${encodeURIComponent(one.name)}` }, plain(one.name, 40));
    return el("span", { class: "one" }, link, " ", stamp(judged.get(one.name)?.verdict ?? one.verdict));
  });
  const nav = document.getElementById("contents");
  nav.hidden = links.length < 2;
  fill(nav, links);
}

function warn() {
  const records = new Map([...cards].map(([name, card]) => [name, card.record]));
  banners(status, records, new Map([...grown].map(([name, [, at]]) => [name, at])), connection);
}

async function refresh(name) {
  const card = cards.get(name);
  if (!card) return;
  await quietly(card.refresh());
  if (status) {
    const candidate = status.candidates.find((one) => one.name === name);
    if (candidate) card.showLive(candidate);
    warn();
  }
}

function told(verdicts) {
  for (const name of judged.keys()) if (!(name in verdicts)) judged.delete(name);
  for (const [name, brief] of Object.entries(verdicts)) {
    const before = JSON.stringify(judged.get(name));
    judged.set(name, brief);
    if (before !== JSON.stringify(brief)) refresh(name);
  }
  if (status) contents(status);
}

async function past() {
  quietly(trials()); // reads the log, which may take a while
  const can = await quietly(history());
  if (can !== undefined) steering.canRollBack(can || Boolean(status?.ramp));
}

// What fails here says so elsewhere: the stream's banner, or the form for the token.
async function quietly(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) refused(error);
    return undefined;
  }
}

function enter(why) {
  const form = document.getElementById("entry");
  document.getElementById("entry-said").textContent = plain(why, 300);
  form.hidden = false;
  document.getElementById("token").focus();
}

function start() {
  document.getElementById("entry").hidden = true;
  follow({
    event(name, data) {
      if (name === "status") show(data);
      else if (name === "verdicts") told(data);
      else if (name === "change") past();
    },
    open() {
      Object.assign(connection, { lost: false });
      warn();
      past();
    },
    lost() {
      if (!connection.lost) Object.assign(connection, { lost: true, since: new Date().toISOString().slice(11, 19) + " UTC" });
      warn();
    },
    refused(error) {
      const had = token.get();
      token.drop();
      enter(had ? error.message : "");
    },
  });
}

document.getElementById("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(document.getElementById("token").value);
  document.getElementById("token").value = "";
  start();
});

const lately = new Map(); // by name: the pairs that were logged when the list was last read
setInterval(() => {
  if (document.hidden || connection.lost) return;
  for (const [name, card] of cards) {
    const [logged] = grown.get(name) ?? [0];
    if (lately.get(name) === logged) continue;
    lately.set(name, logged);
    quietly(card.pairs.refresh());
  }
}, PAIRS_MS);
setInterval(() => !document.hidden && !connection.lost && status && past(), PAST_MS);
setInterval(warn, TICK_MS);

start();
