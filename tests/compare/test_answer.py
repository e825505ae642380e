"""An answer's headers."""

from __future__ import annotations

from shadowproxy.compare import Answer


def test_a_header_is_found_whatever_its_case_and_repeats_are_joined() -> None:
    answer = Answer(True, 200, (("X-Model", "a"), ("x-model", "b"), ("Other", "c")), b"", False)
    assert answer.header("x-model") == "a, b"
    assert answer.header("server") is None
