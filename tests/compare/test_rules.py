"""A route's rules: what they refuse, and that their digest names everything that counts."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.compare import compile_rules
from shadowproxy.settings.snapshot import Compare, Match, Prediction, Route
from tests.compare.exchanges import compared, kinds, rules

REFUSED = [
    (Route(protocol="grpc"), "protocol: expected one of auto, none, open-inference"),
    (Route(compare=Compare(ignore=("id",))), "compare.ignore: 'id' is not a JSONPath"),
    (Route(compare=Compare(unordered=("$[-1]",))), "compare.unordered: '$[-1]' is not"),
    (Route(prediction=Prediction(kind="vibes")), "prediction.is: expected one of label"),
    (Route(prediction=Prediction(kind="label", at="$.")), "prediction.at: '$.' is not"),
    (Route(prediction=Prediction(kind="label", at="$", key="$[")), "prediction.key: '$[' is not"),
]


@pytest.mark.parametrize(("route", "sentence"), REFUSED)
def test_what_cannot_be_compiled_is_refused_with_the_key_at_fault(route: Route, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is not") as refused:
        compile_rules(route)
    assert str(refused.value).startswith(sentence)


CHANGES: list[dict[str, Any]] = [
    {"compare": Compare(up_to=1)},
    {"compare": Compare(ignore=("$.id",))},
    {"compare": Compare(unordered=("$.id",))},
    {"compare": Compare(absolute=0.1)},
    {"compare": Compare(relative=0.1)},
    {"compare": Compare(headers=())},
    {"protocol": "none"},
    {"protocol": "open-inference"},
    {"prediction": Prediction()},
    {"prediction": Prediction(kind="label")},
    {"prediction": Prediction(kind="label", at="$.a")},
    {"prediction": Prediction(kind="label", at="$.a", key="b")},
    {"prediction": Prediction(kind="score", threshold=0.1)},
    {"prediction": Prediction(kind="number", tolerance=0.1)},
    {"prediction": Prediction(kind="ranking", top=3)},
]


def test_every_setting_of_comparison_changes_the_digest() -> None:
    digests = [compile_rules(Route(**change)).digest for change in [{}, *CHANGES]]
    assert len(set(digests)) == len(digests)


def test_the_digest_stays_where_nothing_of_comparison_changes() -> None:
    a = Route(compare=Compare(ignore=("$.a", "$.b"), headers=("A", "b")))
    b = Route(name="x", match=Match(path="/x"), key="id", compare=Compare(ignore=("$.b", "$.a"), headers=("B", "a")))
    assert compile_rules(a).digest == compile_rules(b).digest
    assert len(compile_rules(a).digest) == 12


def test_an_unordered_list_is_paired_by_a_member_or_is_a_multiset() -> None:
    by = rules(unordered=("$.rows by id",))
    a = b'{"rows": [{"id": 1, "x": 1}, {"id": 2, "x": 2}]}'
    assert kinds(compared(a, b'{"rows": [{"id": 2, "x": 3}, {"id": 1, "x": 1}]}', by)) == [("$.rows[1].x", "value")]
    assert compared(b'{"rows": [{"x": 1}, {"x": 2}]}', b'{"rows": [{"x": 2}, {"x": 1}]}', by).result == "same"
