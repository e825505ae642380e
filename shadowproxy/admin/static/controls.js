// Steering: each button says what it does, asks where it cannot be taken back at once, and tells what came of it.

import { change, download } from "./api.js";
import { el } from "./dom.js";
import { plain } from "./words.js";

export function tell(text) {
  const node = document.getElementById("said");
  node.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => (node.textContent = ""), 8000);
}

// Runs a change with its button out of use meanwhile. `refused` is told of what needs a token.
async function act(button, what, done, refused) {
  button.disabled = true;
  try {
    await what();
    tell(done);
  } catch (error) {
    tell(`Not done: ${plain(error.message, 400)}`);
    if (error.status === 401) refused(error);
  } finally {
    button.disabled = false;
  }
}

function button(name, listener, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: (event) => listener(event.currentTarget) } }, name);
}

export class GlobalControls {
  constructor(refused) {
    this.pause = button("Pause all", (node) => this.toggle(node, refused), { id: "pause-all", hidden: true });
    this.rollback = button("Roll back …", (node) => this.back(node, refused), { id: "rollback", hidden: true });
    document.getElementById("global").replaceChildren(this.pause, this.rollback);
    this.paused = false;
  }

  show(status) {
    this.paused = status.candidates.length > 0 && status.candidates.every((candidate) => candidate.paused);
    this.pause.textContent = this.paused ? "Resume all" : "Pause all";
    this.pause.hidden = status.candidates.length === 0;
    if (status.ramp) this.rollback.hidden = false;
  }

  canRollBack(can) {
    this.rollback.hidden = !can;
  }

  toggle(node, refused) {
    const verb = this.paused ? "resume" : "pause";
    return act(node, () => change("POST", verb), this.paused ? "Copies are sent again." : "No copies are sent any more.", refused);
  }

  async back(node, refused) {
    const reason = await asked({
      title: "Roll back?",
      text: "The former production answers users again, at once. A ramp under way ends.",
      label: "Reason (kept in the history)",
      yes: "Roll back",
    });
    if (reason !== null) await act(node, () => change("POST", "rollback", reason ? { reason } : {}), "Rolled back.", refused);
  }
}

export class Controls {
  constructor(name, refused) {
    this.name = name;
    this.refused = refused;
    const path = `candidates/${encodeURIComponent(name)}`;
    const shown = plain(name, 40);
    this.sample = el("input", { type: "text", inputmode: "decimal", size: 6, "aria-label": `sample of ${shown}`, id: `sample-${name}` });
    this.form = el(
      "form",
      { class: "sample", on: { submit: (event) => this.resample(event, path) } },
      el("label", { for: `sample-${name}` }, "Sample "),
      this.sample,
      el("button", { type: "submit" }, "Set"),
    );
    this.pause = button("Pause", (node) => this.toggle(node), { "aria-label": `pause ${shown}` });
    this.restart = button("Restart trial …", (node) => this.anew(node, path));
    this.promote = button("Promote …", (node) => this.up(node), {});
    this.report = button("Full report", (node) =>
      act(node, () => download("report", { candidate: name, format: "html" }, `${name.replace(/[^\w.-]/g, "_")}.html`), "The report is downloaded.", refused),
    );
    this.node = el("div", { class: "controls", role: "group", "aria-label": `steering of ${shown}` }, this.form, this.pause, this.restart, this.promote, this.report);
  }

  show(candidate, verdict) {
    this.paused = candidate.paused;
    this.verdict = verdict;
    this.pause.textContent = candidate.paused ? "Resume" : "Pause";
    this.promote.className = verdict === "PASS" ? "strong" : "";
    this.pause.setAttribute("aria-label", `${candidate.paused ? "resume" : "pause"} ${plain(this.name, 40)}`);
    if (document.activeElement !== this.sample) this.sample.value = `${Number((100 * candidate.sample).toPrecision(6))}%`;
  }

  toggle(node) {
    const verb = this.paused ? "resume" : "pause";
    const done = this.paused ? `${plain(this.name)} gets copies again.` : `${plain(this.name)} gets no copies any more.`;
    return act(node, () => change("POST", verb, { candidate: this.name }), done, this.refused);
  }

  resample(event, path) {
    event.preventDefault();
    const wanted = this.sample.value.trim();
    const sample = /^[\d.]+$/.test(wanted) ? `${wanted}%` : wanted;
    return act(event.submitter ?? this.form.lastChild, () => change("PATCH", path, { sample }), `${plain(this.name)} is sampled at ${plain(sample, 20)}.`, this.refused);
  }

  async anew(node, path) {
    const sure = await asked({ title: `Restart the trial of ${plain(this.name, 40)}?`, text: "Its evidence begins anew; what was logged stays in the log.", yes: "Restart" });
    if (sure !== null) await act(node, () => change("POST", `${path}/restart`), "A new trial has begun.", this.refused);
  }

  async up(node) {
    const passes = this.verdict === "PASS";
    const force = await asked({
      title: `Promote ${plain(this.name, 40)}?`,
      text: passes
        ? "Users get its answers from now on; the present production stays as a candidate, and rolling back is instant."
        : `${this.verdict ? `Its verdict is ${this.verdict}` : "It has no verdict yet"}. Promoting it all the same needs a reason, which is kept in the history.`,
      label: passes ? null : "Reason",
      required: !passes,
      yes: passes ? "Promote" : "Promote all the same",
    });
    if (force === null) return;
    const body = { candidate: this.name, ...(passes ? {} : { force }) };
    await act(node, () => change("POST", "promote", body), `${plain(this.name)} answers users now.`, this.refused);
  }
}

// The dialog: null when it was left, else what was written (empty where nothing was asked).
function asked({ title, text, label = null, required = false, yes }) {
  const dialog = document.getElementById("dialog");
  const input = document.getElementById("dialog-reason");
  document.getElementById("dialog-title").textContent = title;
  document.getElementById("dialog-text").textContent = text;
  document.getElementById("dialog-label").textContent = label ?? "";
  const confirm = document.getElementById("dialog-yes");
  confirm.textContent = yes;
  input.hidden = label === null;
  input.value = "";
  const check = () => (confirm.disabled = required && !input.value.trim());
  input.oninput = check;
  check();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? input.value.trim() : null);
  });
}
