"""What is said of an answer that repeats production's: the same for all answers that decided the same.

Most pairs are such, so it is remembered as text, by the decision. Only of decisions that are fully told by one short
item, or by none: what else a comparison says (scores of others' making, numbers that are none, texts) is made anew.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from shadowproxy.compare import Assessed, Rules, compare
from shadowproxy.compare.decision import LABEL, OPAQUE, PROBABILITIES
from shadowproxy.compare.lift import Form
from shadowproxy.pairlog.record import comparison_front, opened

_REMEMBERED: Final = 1024
_LONGEST: Final = 200  # characters of an item
_TOLD_BY_ITEM: Final = frozenset({LABEL, PROBABILITIES})


class Said(NamedTuple):
    front: bytes  # the comparison up to the times, as text
    result: str
    agrees: bool | None


class Repeats(dict[Any, Said]):
    """Of one route."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self._rules = rules

    def of(self, production: Assessed, key: str) -> Said:
        """`key` is what the other side is called: its answer was assessed as production's was."""
        known = self._key(production, key)
        if known is None:
            return self._said(production, key)
        said = self.get(known)
        if said is None:
            said = self._said(production, key)
            if len(self) >= _REMEMBERED:
                self.clear()
            self[known] = said
        return said

    def _key(self, production: Assessed, key: str) -> tuple[Any, ...] | None:
        decision, lifted = production.decision, production.lifted
        kind, items = decision.kind, decision.items
        if production.unfit or self._rules.scores or lifted.nonfinite or decision.nonfinite or decision.nulls:
            return None
        if not items and kind == OPAQUE:
            return key, lifted.form is Form.JSON
        if len(items) != 1 or kind not in _TOLD_BY_ITEM or decision.beside:
            return None
        item = items[0]
        # True is 1 to a dictionary, and another decision.
        if item.__class__ is int or (item.__class__ is str and len(item) <= _LONGEST):
            return key, kind, item, lifted.form is Form.JSON
        return None

    def _said(self, production: Assessed, key: str) -> Said:
        comparison = compare(self._rules, production, production, key)
        return Said(opened(comparison_front(comparison.as_dict(key), key)), comparison.result, comparison.agrees)
