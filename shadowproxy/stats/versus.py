"""Two candidates, on the requests that both received.

The same intervals as against production, with the second candidate in the reference's place. It says how far the first
is from the second; that the better of several was chosen by looking is covered by no confidence here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shadowproxy.stats import interval
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.interval import Interval

# Columns of evidence over the requests that both received: only the first, only the second, and out of how many.
COMPARED: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "errors": ("only_first_bad", "only_second_bad", "exchanges"),
        "disagreement": ("only_first_disagrees", "only_second_disagrees", "decided"),
        "slower": ("first_slower", "second_slower", "timed"),
    }
)


def versus(evidence: Evidence, terms: Terms, *, final: bool = False) -> dict[str, Interval]:
    """First − second, for each row of COMPARED that was counted."""
    return {
        name: interval.difference(evidence, first, second, trials, terms, final=final)
        for name, (first, second, trials) in COMPARED.items()
        if {first, second, trials} <= evidence.columns.keys()
    }
