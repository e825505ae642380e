"""Where keys and slices may point, and what is said of anything else."""

from __future__ import annotations

import pytest

from shadowproxy.recorder.extract import Source, compile_extractor
from shadowproxy.recorder.heads import Field
from shadowproxy.recorder.redact import Redactor
from shadowproxy.settings.snapshot import Redact

REDACTOR = Redactor(Redact(), b"k" * 32)
SOURCE = Source("id-1", [Field("x-tier", "X-Tier", "gold")], {"a": [1, 2.5, {"b": "é"}]}, {"label": "x"})


@pytest.mark.parametrize(
    ("where", "expected", "needs"),
    [
        ("id", "id-1", (False, False)),
        ("header:x-TIER", "gold", (False, False)),
        ("json:$.a[0]", "1", (True, False)),
        ("json:$.a[*]", "1", (True, False)),
        ("json:$.a[1]", "2.5", (True, False)),
        ("json:$.a[2]", '{"b":"é"}', (True, False)),
        ("answer:$.label", "x", (False, True)),
    ],
)
def test_what_is_found(where: str, expected: str, needs: tuple[bool, bool]) -> None:
    extractor = compile_extractor(where, REDACTOR)
    assert extractor.find(SOURCE) == expected
    assert (extractor.of_request, extractor.of_answer) == needs


@pytest.mark.parametrize("where", ["", "ID", "header:", "cookie:x", "query:x", "json"])
def test_another_place_is_refused(where: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected id, header:NAME, json:\$\.path or answer:\$\.path|is not a JSONPath"
    ):
        compile_extractor(where, REDACTOR)
