"""What one answer decided: the nouns that readers make and judges read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from shadowproxy.compare.excerpt import json_text
from shadowproxy.compare.jsonpath import Path
from shadowproxy.compare.tolerance import EXACT, Tolerance

MAX_TEXT: Final = 1000
_SHORT: Final = 10**15

# Every kind of prediction (JUDGEMENT: what `prediction.is` may say).
LABEL: Final = "label"
PROBABILITIES: Final = "probabilities"
SCORE: Final = "score"
NUMBER: Final = "number"
RANKING: Final = "ranking"
TEXT: Final = "text"
EMBEDDING: Final = "embedding"
BOXES: Final = "boxes"
OPAQUE: Final = "opaque"
KINDS: Final = (LABEL, PROBABILITIES, SCORE, NUMBER, RANKING, TEXT, EMBEDDING, BOXES, OPAQUE)


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A route's `prediction`, or a preset's, compiled."""

    kind: str = OPAQUE
    at: tuple[Path, ...] = ()  # the first that matches anything says where the items are
    key: Path | str | None = None  # a path from the body's root, or a member of the item (or of the object around it)
    threshold: float = 0.5
    tolerance: Tolerance = EXACT
    top: int | None = None
    reader: str = "path"
    datatypes: Mapping[str, Tolerance] = {}


class Text(NamedTuple):
    """One generated answer."""

    content: str
    finish: str | None = None  # why it ended, in the protocol's own word
    tools: tuple[tuple[str, str], ...] = ()  # (name, arguments as canonical JSON) of each call, sorted

    @property
    def shown(self) -> Any:
        return self.content if self.content or not self.tools else [list(call) for call in self.tools]


class Decision(msgspec.Struct, frozen=True):
    """`items` are what agreement looks at (an argmax, the first few of a ranking), `raw` what is measured."""

    kind: str = OPAQUE
    items: tuple[Any, ...] = ()
    keys: tuple[Any, ...] | None = None
    nonfinite: int = 0  # rows of probabilities that are none
    nulls: int = 0  # null where a number belongs
    found: bool = True  # False: the answer has nothing where the prediction should be
    raw: tuple[Any, ...] = ()
    tolerance: Tolerance = EXACT  # of the numbers' own type, on top of what is configured
    beside: tuple[Any, ...] = ()  # rows of probabilities that the answer gives beside a decision of another kind

    @property
    def text(self) -> str | None:
        """The decision as short JSON text: the item itself when there is one, else all of them."""
        shown = self.items
        if not shown:
            return None
        if len(shown) == 1 and shown[0].__class__ is int and -_SHORT < shown[0] < _SHORT:
            return str(shown[0])
        if self.kind == TEXT:
            shown = tuple(item.shown for item in shown)
        return json_text(shown[0] if len(shown) == 1 else list(shown), MAX_TEXT)


UNKNOWN: Final = Decision()
NOT_FOUND: Final = Decision(found=False)
