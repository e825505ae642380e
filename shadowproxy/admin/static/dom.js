// Elements from plain values. Text is always text: nothing here, and nothing that uses it, makes markup from a string.

const SVG = "http://www.w3.org/2000/svg";

export function el(name, attributes = {}, ...children) {
  return put(set(document.createElement(name), attributes), children);
}

export function svg(name, attributes = {}, ...children) {
  return put(set(document.createElementNS(SVG, name), attributes), children);
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  return node;
}

function put(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

// Replaces what a node holds, unless that is what it holds already: nothing flickers, and no reader says it twice.
export function fill(node, ...children) {
  const fresh = put(document.createElement("div"), children);
  if (fresh.innerHTML !== node.innerHTML) node.replaceChildren(...fresh.childNodes);
  return node;
}

// A number with the sentence that defines it.
export function figure({ shown, title }) {
  return title ? el("span", { title }, shown) : shown;
}

export function stamp(verdict, shown) {
  const known = ["PASS", "FAIL", "INCONCLUSIVE"].includes(verdict);
  return el("span", { class: `verdict ${known ? verdict : "none"}` }, shown ?? verdict ?? "not judged");
}

export function table(heads, rows, attributes = {}) {
  return el(
    "table",
    attributes,
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", ...(head.attributes ?? {}) }, head.name ?? head)))),
    el("tbody", {}, rows),
  );
}

// Our own sentences put settings between backticks.
export function withCode(sentence) {
  const parts = sentence.split("`");
  return parts.length % 2 === 0 ? sentence : parts.map((part, at) => (at % 2 ? el("code", {}, part) : part));
}
