// The latest pairs that disagree; one opens to both answers side by side.

import { get } from "./api.js";
import { beside } from "./beside.js";
import { el, fill } from "./dom.js";
import { clock, milliseconds, plain } from "./words.js";

const SHOWN = 8;
const MOST_PAGES = 3;

// A page may hold fewer than are wanted, and still have a next.
async function newest(wanted) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES && found.length < SHOWN; page += 1) {
    const { items, next } = await get("pairs", { ...wanted, limit: SHOWN, ...(cursor && { cursor }) });
    found.push(...items);
    cursor = next;
    if (!cursor) break;
  }
  return found.slice(0, SHOWN);
}

export class Pairs {
  constructor(name) {
    this.name = name;
    this.list = el("ol", { class: "pairs" });
    this.empty = el("p", { class: "quiet" }, "None so far.");
    this.node = el("div", {}, this.empty, this.list);
    this.shown = "";
    this.trial = "";
    this.open = null; // the id of the pair that is open: it stays, whatever comes
  }

  // Of this trial alone; those of another are over.
  of(trial) {
    if (trial === this.trial) return;
    this.trial = trial;
    this.shown = "";
    this.open = null;
    this.list.replaceChildren();
    this.empty.hidden = false;
  }

  async refresh() {
    const trial = this.trial;
    const wanted = { candidate: this.name, ...(trial && { trial }) };
    const disagreeing = await newest({ ...wanted, agrees: "false" });
    const found = disagreeing.length ? disagreeing : await newest({ ...wanted, result: "different" });
    if (trial !== this.trial) return;
    const key = JSON.stringify(found.map((one) => one.pair_id));
    if (key === this.shown || this.open) return;
    this.shown = key;
    this.empty.hidden = found.length > 0;
    this.list.replaceChildren(...found.map((one) => this.item(one)));
  }

  item(one) {
    const body = el("div", { class: "opened", hidden: true });
    const button = el(
      "button",
      { type: "button", class: "pair", "aria-expanded": "false", on: { click: () => this.toggle(one, button, body) } },
      el("span", { class: "quiet" }, clock(one.ts)),
      el("span", {}, plain(one.route, 30)),
      el("code", {}, said(one)),
      el("span", { class: "quiet" }, `${milliseconds(one.production?.latency_ms)} → ${milliseconds(one.shadow?.latency_ms)}`),
    );
    return el("li", {}, button, body);
  }

  async toggle(one, button, body) {
    const opens = body.hidden;
    for (const other of this.list.querySelectorAll(".opened")) other.hidden = true;
    for (const other of this.list.querySelectorAll("button")) other.setAttribute("aria-expanded", "false");
    this.open = opens ? one.pair_id : null;
    if (!opens) return;
    button.setAttribute("aria-expanded", "true");
    body.hidden = false;
    if (body.childNodes.length) return;
    fill(body, el("p", { class: "quiet" }, "Reading the log …"));
    try {
      const { items } = await get(`pairs/${encodeURIComponent(one.pair_id)}`);
      const pair = items.find((item) => item.pair_id === one.pair_id) ?? items[0];
      fill(body, pair ? beside(pair) : "The log holds it no more.");
    } catch (error) {
      fill(body, el("p", { role: "alert" }, plain(error.message, 300)));
    }
  }
}

function said(one) {
  const [old, fresh] = [one.production_prediction, one.shadow_prediction];
  if (old !== null && old !== undefined && fresh !== null && fresh !== undefined) return `${plain(old, 40)} → ${plain(fresh, 40)}`;
  return plain(one.differing_paths?.[0] ?? one.result, 80);
}
