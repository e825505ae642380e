// Numbers and times as the report writes them. What the report has put into words already is shown as it is.

export const NOTHING = "–";

// A stranger's text on one line: control characters and direction marks as their escapes, cut at so many signs.
export function plain(text, longest = 200) {
  const whole = [...String(text ?? NOTHING)].slice(0, longest + 1);
  const kept = whole.map((sign) => (/[\p{C}\u2028\u2029]/u.test(sign) ? escaped(sign) : sign));
  return kept.length <= longest ? kept.join("") : kept.slice(0, longest - 1).join("") + "…";
}

function escaped(sign) {
  const code = sign.codePointAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

export function count(n) {
  return n === null || n === undefined ? NOTHING : Math.round(n).toLocaleString("en-US");
}

export function percent(share) {
  if (share === null || share === undefined) return NOTHING;
  const shown = digits(100 * share);
  if (share < 1 && shown === "100") return ">99.9 %";
  if (share > 0 && shown === "0") return "<0.01 %";
  return `${shown} %`;
}

function digits(value) {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(value < 1 ? 2 : 3));
  return value < 1 && rounded < 0.01 ? "0" : String(rounded);
}

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  const size = Math.abs(ms);
  const shown = size >= 100 ? Math.round(size).toLocaleString("en-US") : size >= 10 ? size.toFixed(1) : size.toFixed(2);
  return `${ms < 0 && shown !== "0.00" ? "−" : ""}${shown} ms`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  let left = Math.round(seconds);
  if (left < 1) return "less than 1 s";
  const parts = [];
  for (const [name, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    if (left >= size) parts.push(`${Math.floor(left / size)} ${name}`);
    left %= size;
  }
  return parts.slice(0, 2).join(" ");
}

// `2026-03-01 14:00:05` of RFC 3339: times are UTC everywhere, as in the log.
export function moment(text) {
  return text ? text.slice(0, 19).replace("T", " ") : NOTHING;
}

export function clock(text) {
  return text ? text.slice(11, 19) : NOTHING;
}

export function words(name) {
  return plain(name).replaceAll("_", " ");
}
