"""The contract's closed sets (§4). A position is a code on the wire, so a name never moves."""

from __future__ import annotations

import pytest

from shadowproxy.core import outcome as o

OUTCOMES = "complete connect_error timeout reset protocol_error truncated client_aborted"
EXCLUDED = "method upgrade stateful paused refused"
DROPPED = (
    "body_too_large in_flight breaker_open buffer_full overload recorder_behind connect_rate rewrite_failed draining "
    "client_aborted"
)
UNLOGGED = "recorder_lost queue_full disk"


@pytest.mark.parametrize(
    ("table", "names"),
    [(o.OUTCOMES, OUTCOMES), (o.EXCLUDED, EXCLUDED), (o.DROPPED, DROPPED), (o.UNLOGGED, UNLOGGED)],
)
def test_the_tables_are_the_contract_s_and_code_0_says_nothing(table: tuple[str, ...], names: str) -> None:
    assert table == ("", *names.split())


def test_every_code_names_itself() -> None:
    def codes(prefix: str, names: tuple[str, ...]) -> dict[str, int]:
        return {name: getattr(o, prefix + name.upper()) for name in names if name}

    assert codes("", o.OUTCOMES) == {name: at for at, name in enumerate(o.OUTCOMES) if name}
    assert codes("EXCLUDED_", o.EXCLUDED) == {name: at for at, name in enumerate(o.EXCLUDED) if name}
    assert codes("", o.UNLOGGED) == {name: at for at, name in enumerate(o.UNLOGGED) if name}
    dropped = {name: getattr(o, name.upper()) for name in o.DROPPED[1:-1]}
    assert {**dropped, "client_aborted": o.DROPPED_CLIENT_ABORTED} == {
        name: at for at, name in enumerate(o.DROPPED) if name
    }
    assert o.LOGGED == 0
