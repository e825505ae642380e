// Charts by uPlot: the course of disagreement with its interval and the noise, and latency within pairs.

import { el } from "./dom.js";
import { milliseconds, percent } from "./words.js";

const HEIGHT = 220;
const Z = 1.96;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(format, size) {
  return {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--line"), width: 0.6 },
    ticks: { stroke: colour("--line"), width: 0.6 },
    font: "12px system-ui, sans-serif",
    size,
    values: format && ((_, ticks) => ticks.map((tick) => (tick === null ? "" : format(tick)))),
  };
}

// One chart that is drawn anew when its data, its width or the colour scheme change.
class Chart {
  constructor(caption) {
    this.box = el("div", { class: "plot" });
    this.said = el("p", { class: "small quiet" });
    this.node = el("figure", { role: "group", "aria-label": caption }, el("figcaption", {}, caption), this.box, this.said);
    this.node.hidden = true; // until there is something to draw
    this.data = null;
    this.plot = null;
    new ResizeObserver(() => this.fit()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(options, data, said) {
    const key = JSON.stringify(data);
    if (key === this.key) return;
    this.key = key;
    this.options = options;
    this.data = data;
    this.said.textContent = said;
    this.draw();
  }

  draw() {
    if (!this.data) return;
    const width = Math.max(260, this.box.clientWidth);
    this.plot?.destroy();
    this.plot = new window.uPlot({ width, height: HEIGHT, ...this.options() }, this.data, this.box);
    this.plot.root.setAttribute("aria-hidden", "true"); // the figures stand in the sentence below and in the tables
  }

  clear() {
    this.plot?.destroy();
    this.key = this.data = this.plot = null;
    this.said.textContent = "";
    this.node.hidden = true;
  }

  fit() {
    const width = Math.max(260, this.box.clientWidth);
    if (this.plot && Math.abs(this.plot.width - width) > 1) this.plot.setSize({ width, height: HEIGHT });
  }
}

export function charts() {
  const course = new Chart("Decides differently, over time");
  const errors = new Chart("Failures, over time");
  const latency = new Chart("Latency of each side at each percentile");
  const apart = new Chart("Difference in latency within pairs, at each percentile");
  const all = [course, errors, latency, apart];
  return {
    nodes: all.map((chart) => chart.node),
    // What was drawn is of a trial that is over.
    clear() {
      for (const chart of all) chart.clear();
    },
    // Draws what there is, and says whether there is anything.
    show(record) {
      showCourse(course, record);
      showErrors(errors, record);
      showLatency(latency, record);
      showApart(apart, record);
      for (const chart of all) chart.node.hidden = chart.data === null;
      return all.some((chart) => chart.data !== null);
    },
  };
}

function bounds(share, n) {
  // Wilson's interval of a stretch by itself: for the eye; what is judged is the whole trial.
  if (share === null || !n) return [null, null];
  const centre = (share + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const reach = (Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n))) / (1 + (Z * Z) / n);
  return [Math.max(0, centre - reach), Math.min(1, centre + reach)];
}

const inMs = (ms) => `${ms < 0 ? "−" : ""}${Number(Math.abs(ms).toPrecision(3)).toLocaleString("en-US")} ms`;
const times = (timeline) => timeline.map((one) => Date.parse(one.from) / 1000 + one.seconds / 2);
// `14:05` of a round time in UTC; seconds where ticks stand closer than a minute, the day where they stand far apart.
const utc = (at_s) => new Date(at_s * 1000).toISOString();
function timeAxis() {
  const form = (tick, step_s) => (step_s < 60 ? utc(tick).slice(11, 19) : step_s < 86_400 ? utc(tick).slice(11, 16) : utc(tick).slice(5, 10));
  return { ...axis(null, 30), space: 70, values: (_, ticks, __, ___, step_s) => ticks.map((tick) => form(tick, step_s)) };
}
const inUtc = { tzDate: (at_s) => window.uPlot.tzDate(new Date(at_s * 1e3), "Etc/UTC") };

function shares() {
  return { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 0.001)] } };
}

function showCourse(chart, record) {
  const timeline = record.timeline ?? [];
  if (timeline.length < 2) return;
  const ends = timeline.map((one) => bounds(one.disagreement, one.decided));
  const data = [times(timeline), ends.map((end) => end[1]), ends.map((end) => end[0]), timeline.map((one) => one.disagreement), timeline.map((one) => one.noise)];
  const options = () => ({
    ...inUtc,
    scales: shares(),
    axes: [timeAxis(), axis(percent, 60)],
    bands: [{ series: [1, 2], fill: `${colour("--candidate")}22` }],
    series: [
      { label: "UTC", value: (_, at_s) => (at_s === null ? "" : utc(at_s).slice(11, 19)) },
      { label: "at most", stroke: "transparent", points: { show: false }, value: (_, v) => percent(v) },
      { label: "at least", stroke: "transparent", points: { show: false }, value: (_, v) => percent(v) },
      { label: record.name, stroke: colour("--candidate"), width: 2.5, points: { size: 5 }, value: (_, v) => percent(v) },
      { label: "noise", stroke: colour("--twin"), width: 1.5, dash: [5, 3], points: { show: false }, value: (_, v) => percent(v) },
    ],
  });
  const noise = record.noise.estimate === null ? "" : ` A second copy of ${record.production} does so on ${percent(record.noise.estimate)}: the noise.`;
  chart.show(options, data, `${record.name} decides differently on ${percent(record.disagreement.estimate)} of ${record.disagreement.n.toLocaleString("en-US")} requests.${noise} Shaded: the 95 % interval of each stretch by itself.`);
}

function showErrors(chart, record) {
  const timeline = record.timeline ?? [];
  if (timeline.length < 2) return;
  const data = [times(timeline), timeline.map((one) => one.candidate_errors), timeline.map((one) => one.reference_errors)];
  const options = () => ({
    ...inUtc,
    scales: shares(),
    axes: [timeAxis(), axis(percent, 60)],
    series: [
      { label: "UTC", value: (_, at_s) => (at_s === null ? "" : utc(at_s).slice(11, 19)) },
      { label: record.name, stroke: colour("--candidate"), width: 2.5, points: { size: 5 }, value: (_, v) => percent(v) },
      { label: record.errors.reference === "twin" ? `${record.production}'s copy` : record.production, stroke: colour("--production"), width: 1.5, points: { show: false }, value: (_, v) => percent(v) },
    ],
  });
  chart.show(options, data, `${record.name} failed on ${percent(record.errors.candidate_rate.estimate)} of requests, the reference on ${percent(record.errors.reference_rate.estimate)}.`);
}

function percentiles(curve) {
  return curve.map(([share]) => Math.round(100 * share));
}

function showLatency(chart, record) {
  const curves = record.latency_ms.curves ?? {};
  if (!curves.shadow) return;
  const found = [
    ["production", record.production, "--production", 1.6, null],
    ["twin", `${record.production}'s copy`, "--twin", 1.6, [5, 3]],
    ["shadow", record.name, "--candidate", 2.5, null],
  ].filter(([role]) => curves[role]);
  const data = [percentiles(curves.shadow), ...found.map(([role]) => curves[role].map(([, ms]) => ms))];
  const values = data.slice(1).flat().filter((ms) => ms !== null);
  const isLog = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 12;
  const options = () => ({
    scales: { x: { time: false }, y: isLog ? { distr: 3 } : { range: (_, low, high) => [0, high * 1.05] } },
    axes: [axis((p) => `p${p}`, 30), axis(inMs, 70)],
    series: [
      { label: "percentile" },
      ...found.map(([, name, ink, width, dash]) => ({ label: name, stroke: colour(ink), width, dash, points: { show: false }, value: (_, v) => milliseconds(v) })),
    ],
  });
  const { production, shadow } = record.latency_ms;
  chart.show(options, data, `Medians: ${record.production} ${milliseconds(production.p50)}, ${record.name} ${milliseconds(shadow.p50)}, over ${record.latency_ms.pairs.toLocaleString("en-US")} pairs.`);
}

function showApart(chart, record) {
  const curve = record.latency_ms.curves?.difference;
  if (!curve) return;
  const data = [percentiles(curve), curve.map(([, ms]) => ms), curve.map(() => 0)];
  const options = () => ({
    scales: { x: { time: false } },
    axes: [axis((p) => `p${p}`, 30), axis(inMs, 70)],
    series: [
      { label: "percentile" },
      { label: "difference", stroke: colour("--candidate"), width: 2.5, points: { show: false }, value: (_, v) => milliseconds(v) },
      { label: "none", stroke: colour("--quiet"), width: 1, dash: [2, 2], points: { show: false }, value: () => "" },
    ],
  });
  const { low, high, p50 } = record.latency_ms.difference;
  const between = low === null || low === undefined ? "" : ` (the difference lies between ${milliseconds(low)} and ${milliseconds(high)})`;
  const shown = milliseconds(Math.abs(p50));
  const median = shown === milliseconds(0) ? "as long" : `${shown} ${p50 < 0 ? "less" : "more"}`;
  chart.show(options, data, `Within pairs ${record.name} takes ${median} at the median${between}. Above zero it is slower.`);
}
