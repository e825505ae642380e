// What must be known before any figure: nothing below a banner is to be trusted more than it says.

import { el, fill } from "./dom.js";
import { duration, plain } from "./words.js";

const STALE_S = 300;

// `seen`: by candidate, when its count of logged pairs was last seen to grow (ms).
export function banners(status, records, seen, connection) {
  const said = [];
  if (connection.lost) said.push(["bad", `No connection to the proxy since ${connection.since}: figures are from then. Trying again …`]);
  if (status) {
    said.push(...ofProxy(status));
    for (const candidate of status.candidates) said.push(...ofCandidate(candidate, records.get(candidate.name), seen.get(candidate.name)));
  }
  const unique = [...new Map(said.map((one) => [one[1], one])).values()];
  fill(
    document.getElementById("banners"),
    unique.map(([kind, text]) => el("p", { class: `banner ${kind}` }, text)),
  );
}

function* ofProxy(status) {
  const recorder = status.recorder;
  if (status.draining) {
    // it leaves with the proxy, and what it had is on the disk by then
  } else if (!recorder || recorder.state !== "ready") {
    yield ["bad", "The recorder is down: answers are served, but no pair is written."];
  } else if (recorder.healthy === false) {
    yield ["bad", `The recorder is unwell: ${plain(recorder.note || "it does not say why")}.`];
  }
  if (!status.ready) yield ["bad", `Not ready: ${status.reasons.map((reason) => plain(reason)).join("; ")}.`];
  if (status.candidates.length && status.candidates.every((candidate) => candidate.paused)) {
    yield ["", "All candidates are paused: no copies are sent."];
  }
  if (status.twin?.paused) yield ["", "The twin is paused: no new pair says what differs by chance."];
  if (status.ramp) yield ["", `A ramp is under way: ${plain(status.ramp.candidate)} answers ${Math.round(100 * (status.ramp.share ?? 0))} % of requests.`];
}

function* ofCandidate(candidate, record, grown) {
  const name = plain(candidate.name, 40);
  if (candidate.paused) {
    yield ["", `${name} is paused: no copies are sent to it.`];
    return;
  }
  // What is paused or silent is known better here than when the record was made.
  for (const banner of record?.banners ?? []) if (!/^No pair of|is paused:/.test(banner)) yield ["bad", plain(banner, 400)];
  const last = Math.max(Date.parse(record?.window?.to ?? "") || 0, grown ?? 0);
  const silent_s = (Date.now() - last) / 1000;
  if (last && silent_s >= STALE_S) yield ["bad", `No pair of ${name} for ${duration(silent_s)}: these figures are old.`];
}
