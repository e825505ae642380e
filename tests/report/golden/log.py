"""The log of the golden reports: a bit of everything, chosen by hand, the same on every machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from shadowproxy.report import engine, views
from shadowproxy.report.assemble import report
from shadowproxy.report.record import Report
from shadowproxy.report.source import find
from shadowproxy.report.wishes import Wishes
from tests.support.pairs import PairLog, answer, compared, differing, differs, incomparable, noisy, timed_out

HERE = Path(__file__).parent
FILES = {
    "text": "report.txt",
    "markdown": "report.md",
    "json": "report.json",
    "junit": "report.xml",
    "html": "report.html",
}
_PAIRS = 600


def written(root: Path) -> Path:
    """Ten minutes of a classifier: v2 fails on 2 %, decides differently on 4 %, v1's copy on 1 %."""
    log = PairLog(root, every_s=1)
    for n in range(_PAIRS):
        digit, ms = n % 10, 8.0 + (n * 7 % 20) / 2
        where = {"slices": {"country": ("DE", "FR", "BR")[n % 3]}, "route": "rank" if n % 8 == 0 else "predict"}
        sides = {
            "production": answer(ms=ms, body=_body(digit), version="1.0"),
            "twin": answer(ms=ms + (n % 3) - 1, body=_body(digit), version="1.0"),
            "shadow": answer(ms=1.1 * ms + (n % 5) - 2, body=_body(digit), version="2.0"),
            "noise": noisy("$.label") if n % 100 == 7 else None,
        }
        if n % 60 == 30:
            sides["shadow"] = answer(500, ms=ms, bad=True, body="<b>out of memory</b>", version="2.0")
            log.pair(**sides, **where, comparison=incomparable("shadow_bad"))
        elif n % 300 == 200:
            log.pair(**{**sides, "shadow": timed_out()}, **where, comparison=incomparable("shadow_incomplete"))
        elif n % 25 == 4:
            other = (digit + 5) % 10
            sides["shadow"] = answer(ms=ms + 2, body=_body(other, 0.6), version="2.0")
            differences = [differs("$.label", "value", digit, other), differs("$.score", "value", 0.75, 0.6)]
            log.pair(**sides, **where, comparison=differing(digit, other, differences=differences))
        else:
            log.pair(**sides, **where, comparison=compared(labels=(digit, digit)))
    log.ledger(at=_PAIRS, requests=720, unmatched=10, excluded={"method": 90}, eligible=620, dropped={"in_flight": 15},
               sent=605, in_flight=1, finished={"complete": 602, "timeout": 2}, logged=_PAIRS,
               unlogged={"queue_full": 4})  # fmt: skip
    return log.write()


def _body(label: int, score: float = 0.75) -> str:
    return json.dumps({"label": label, "score": score})


def made(root: Path) -> Report:
    """The report on it, with the paths that a reader would have."""
    source = find([str(written(root))])
    with engine.opened() as con:
        loaded = views.load_views(con, source)
        named = replace(source, paths=("shadow-pairs",))
        return report(con, named, loaded, Wishes(bodies=True))
