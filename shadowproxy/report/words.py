"""Numbers and names as people read them. Nothing here decides anything.

Rates print `%`, differences of rates `pp`, times `ms`. Names, paths and messages come from the log, so a stranger may
have chosen them: `plain` makes them harmless on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

NOTHING = "–"
_SMALLEST_P = 1e-15
UNTRUSTED_LENGTH = 200
_SHORT_S = 120


def plain(text: object, longest: int = UNTRUSTED_LENGTH) -> str:
    """One line without control characters (each is written as its escape), cut at `longest` characters."""
    whole = str(text)
    kept = "".join(sign if sign.isprintable() else _escaped(sign) for sign in whole[: longest + 1])
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")


def percent(share: float | None) -> str:
    """Three digits at most; what is not all or nothing never rounds to it."""
    if share is None:
        return NOTHING
    shown = _digits(100 * share)
    if share < 1 and shown == "100":
        return ">99.9 %"
    if share > 0 and shown == "0":
        return "<0.01 %"
    return f"{shown} %"


def points(difference: float | None) -> str:
    """A difference of two rates, in percentage points, with its sign."""
    if difference is None:
        return NOTHING
    shown = _digits(abs(100 * difference))
    if shown == "0":
        return "0 pp" if difference == 0 else ("<+0.01 pp" if difference > 0 else ">−0.01 pp")
    return f"{'+' if difference > 0 else '−'}{shown} pp"


def times(ratio: float | None) -> str:
    """A ratio of two quantiles."""
    return NOTHING if ratio is None else f"{ratio:.3g} ×"


def number(value: float | None) -> str:
    """A bare number, such as a similarity."""
    if value is None:
        return NOTHING
    return f"{'−' if value < 0 else ''}{abs(value):.3g}"


_UNITS: Final[Mapping[str, Callable[[float | None], str]]] = {"%": percent, "pp": points, "x": times}


def in_unit(value: float | None, unit: str) -> str:
    """`unit` is that of `stats.metrics`: `%`, `pp`, `x`; anything else is a bare number."""
    return _UNITS.get(unit, number)(value)


def share_in(value: float | None, unit: str) -> str:
    """As `in_unit`, but a difference of rates as the share of requests that it is, for sentences."""
    if value == 0:
        return "0"
    return percent(value) if unit == "pp" else in_unit(value, unit)


def limit_in(value: float, unit: str) -> str:
    """A limit: as a value, but a difference without its plus sign, and zero bare."""
    return "0" if value == 0 else in_unit(value, unit).removeprefix("+")


def bounds(estimate: float | None, low: float | None, high: float | None, unit: str) -> str:
    """`+1.2 pp (0.9 … 1.6)`; an end that nothing bounds yet is named: `(≤ 1.6)`, `(≥ 0.9)`.

    Ends are the tightest of all looks, so an estimate outside them has moved since: it is called drifting.
    """
    shown = in_unit(estimate, unit)
    ends = [None if end is None else _bare(end, unit) for end in (low, high)]
    if ends == [None, None]:
        return shown
    inside = f"{ends[0]} … {ends[1]}" if None not in ends else f"≥ {ends[0]}" if ends[1] is None else f"≤ {ends[1]}"
    return f"{shown} ({inside}{', drifting' if _drifts(estimate, low, high) else ''})"


def _drifts(estimate: float | None, low: float | None, high: float | None) -> bool:
    below = low is not None and estimate is not None and estimate < low
    above = high is not None and estimate is not None and estimate > high
    return below or above or (low is not None and high is not None and low > high)


def chance(p: float) -> str:
    """A p value; one that is too small to be told from 0 never reads as it."""
    return f"p = {p:.2g}" if p >= _SMALLEST_P else "p < 1e-15"


def _bare(end: float, unit: str) -> str:
    """The end of an interval, in the unit that stands before it."""
    scaled = 100 * end if unit in ("%", "pp") else end
    return f"{'−' if scaled < 0 and _digits(abs(scaled)) != '0' else ''}{_digits(abs(scaled))}"


def milliseconds(ms: float | None, *, signed: bool = False) -> str:
    if ms is None:
        return NOTHING
    if ms == float("inf"):
        return "timed out"
    size = abs(ms)
    shown = f"{size:,.0f}" if size >= 100 else f"{size:.1f}" if size >= 10 else f"{size:.2f}"
    sign = "−" if ms < 0 and shown != "0.00" else "+" if signed else ""
    return f"{sign}{shown} ms"


def duration(seconds: float) -> str:
    """`2 h 10 min`: the two largest units that say something."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    left = round(seconds)
    if left < 1:
        return "less than 1 s"
    parts = []
    for name, size in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def span_of(start: str, end: str) -> str:
    """`14:00–16:10 UTC` of two moments of RFC 3339, with the date, and with seconds where it is a short one."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    clock = "%H:%M" if (last - first).total_seconds() >= _SHORT_S else "%H:%M:%S"
    if first.date() == last.date():
        return f"{first:%Y-%m-%d} {first.strftime(clock)}–{last.strftime(clock)} UTC"
    return f"{first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M} UTC"


def moment(us: int | None) -> str | None:
    """RFC 3339 in UTC with microseconds."""
    if us is None:
        return None
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{us % 1_000_000:06d}Z"


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    if value < 1:
        rounded = f"{value:.2g}"
        return "0" if float(rounded) < 0.01 else rounded
    return f"{value:.3g}"
