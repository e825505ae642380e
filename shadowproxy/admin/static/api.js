// The admin API. The token lives as long as the tab and goes nowhere but into the Authorization header.

const TOKEN = "shadowproxy.token";
const PATIENCE_MS = 40_000; // the stream says something every 15 s
const PAUSES_MS = [500, 1000, 2000, 5000];

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `the answer was ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => sessionStorage.setItem(TOKEN, value),
  drop: () => sessionStorage.removeItem(TOKEN),
};

function headers(more = {}) {
  const said = token.get();
  return said ? { Authorization: `Bearer ${said}`, ...more } : more;
}

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers(options.headers), cache: "no-store" });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  return response;
}

export async function get(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return (await ask(`api/v1/${path}${query ? `?${query}` : ""}`)).json();
}

export async function change(method, path, body) {
  const response = await ask(`api/v1/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-Shadowproxy-Actor": "dashboard" },
    body: JSON.stringify(body ?? {}),
  });
  return response.status === 204 ? null : response.json();
}

export async function download(path, parameters, name) {
  const response = await ask(`api/v1/${path}?${new URLSearchParams(parameters)}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Server-sent events by fetch, because an EventSource can carry no token. Comes back by itself until it is refused.
export async function follow({ event, open, lost, refused }) {
  for (let tries = 0; ; tries += 1) {
    try {
      await stream((name, data) => {
        tries = 0;
        event(name, data);
      }, open);
      lost("the stream ended");
    } catch (error) {
      if (error instanceof Refused && [401, 403].includes(error.status)) return refused(error);
      lost(error.message);
    }
    await new Promise((resume) => setTimeout(resume, PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]));
  }
}

async function stream(event, open) {
  const stop = new AbortController();
  let watch = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const response = await ask("api/v1/events", { signal: stop.signal });
    open();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => stop.abort(), PATIENCE_MS);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) tell(block, event);
    }
  } finally {
    clearTimeout(watch);
  }
}

function tell(block, event) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  if (data.length) event(name, JSON.parse(data.join("\n")));
}
