"""A candidate follows its flags; whatever cannot be relied on pauses it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from shadowproxy.admin import flags
from shadowproxy.admin.asking import Asker
from shadowproxy.admin.flags import Doubt, Following
from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Candidate, Flags, Follow
from shadowproxy.wire.messages import Answer, Ask
from tests.admin.status import SNAPSHOT, status


class Table:
    """A source that tells what stands in `values`; what does not stand there is doubt."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        self.contexts: list[Mapping[str, str]] = []
        self.closed = 0

    def _of(self, key: str, kind: type, context: Mapping[str, str]) -> Any:
        self.contexts.append(context)
        value = self.values.get(key)
        if isinstance(value, Exception):
            raise value
        if not isinstance(value, kind):
            raise Doubt(f"{key}: no {kind.__name__}")
        return value

    def boolean(self, key: str, context: Mapping[str, str]) -> bool:
        return bool(self._of(key, bool, context))

    def text(self, key: str, context: Mapping[str, str]) -> str:
        return str(self._of(key, str, context))

    def close(self) -> None:
        self.closed += 1


class World:
    """The supervisor in one object: what is asked for is in force with the next reading."""

    def __init__(self, settings: Flags | None = None, source: Any = None, **candidate: Any) -> None:
        self.candidate = Candidate(name="v2", url="http://x:1", **candidate)
        self.settings = settings or Flags(file="f", follow=(Follow(candidate="v2", sample="s", pause="p"),))
        self.asked: list[dict[str, Any]] = []
        self.at = 1000.0
        self.asker = Asker(self._send)
        self.following = Following(self.asker, (lambda _: source) if source is not None else None)

    def _send(self, ask: Ask) -> None:
        assert ask.verb == "edit"
        self.asked.append(ask.body)
        changes = {key: value for key, value in ask.body.items() if key in ("paused", "sample")}
        self.candidate = msgspec.structs.replace(self.candidate, **changes)
        self.asker.answered(Answer(ask.id, True, {}))

    async def look(self, settings: Flags | str | None = "same") -> None:
        self.at += 5.0
        if settings != "same":
            self.settings = settings  # type: ignore[assignment]
        snapshot = msgspec.structs.replace(SNAPSHOT, candidates=(self.candidate,), flags=self.settings)
        await self.following.look(Reading(snapshot, status(), {}, {}, self.at))

    @property
    def now(self) -> tuple[bool, float]:
        return self.candidate.paused, self.candidate.sample


async def test_share_and_pause_follow_and_only_what_differs_is_asked_for() -> None:
    source = Table(s="25%", p=False)
    world = World(source=source)
    await world.look()
    assert world.now == (False, 0.25)
    await world.look()
    assert world.asked == [{"candidate": "v2", "by": "flags", "sample": 0.25}]
    source.values = {"s": "25%", "p": True}
    await world.look()
    assert world.now == (True, 0.25)
    source.values = {"s": "0.1", "p": False}
    await world.look()
    assert world.now == (False, 0.1)
    assert source.contexts[-1] == {"candidate": "v2", "production": "v1"}


@pytest.mark.parametrize(
    "values",
    [
        {"s": "25%"},
        {"p": False},
        {"s": "25%", "p": "no"},
        {"s": "a quarter", "p": False},
        {"s": "25", "p": False},
        {"s": ValueError("broken"), "p": False},
    ],
)
async def test_in_doubt_the_mirror_is_off_and_says_why_once(values: dict[str, Any]) -> None:
    world = World(source=Table(**values))
    with capture_logs() as events:
        await world.look()
        await world.look()
    assert world.now[0] is True
    assert [event["event"] for event in events] == ["flags.doubt"]
    world.following._source.values = {"s": "1%", "p": False}  # type: ignore[union-attr]
    with capture_logs() as events:
        await world.look()
    assert world.now == (False, 0.01)
    assert [event["event"] for event in events] == ["flags.certain"]


async def test_a_provider_that_hangs_pauses_and_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "RESOLVE_S", 0.05)
    release = threading.Event()
    calls = []

    class Hung(Table):
        def boolean(self, key: str, context: Mapping[str, str]) -> bool:
            calls.append(key)
            release.wait(10)
            return False

    world = World(source=Hung(s="1%"))
    for _ in range(3):
        await world.look()
    assert world.now[0] is True
    assert calls == ["p"]
    release.set()


async def test_without_the_extra_the_mirror_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(settings: Flags) -> Any:
        raise ModuleNotFoundError("No module named 'openfeature'")

    monkeypatch.setattr(flags, "_flagd", missing)
    world = World()
    with capture_logs() as events:
        await world.look()
    assert world.now[0] is True
    assert "openfeature" in events[0]["why"]


async def test_a_configuration_without_flags_lets_go_of_the_provider() -> None:
    source = Table(s="1%", p=False)
    world = World(source=source)
    await world.look()
    await world.look(None)
    await world.look()
    assert source.closed == 1
    assert len(world.asked) == 1


async def test_flagd_s_file_is_followed_as_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openfeature.contrib.provider.flagd", reason="the extra flags is not installed")
    monkeypatch.setenv("FLAGD_OFFLINE_POLL_MS", "20")
    file = tmp_path / "flags.json"

    def write(sample: Any, paused: bool, **more: Any) -> None:
        def one(value: Any) -> dict[str, Any]:
            return {"state": "ENABLED", "variants": {"it": value}, "defaultVariant": "it", **more}

        staged = tmp_path / "staged"
        staged.write_text(json.dumps({"flags": {"s": one(sample), "p": one(paused)}}))
        staged.replace(file)

    async def follows(expected: tuple[bool, float]) -> bool:
        for _ in range(3000):
            await world.look()
            if world.now == expected:
                return True
            threading.Event().wait(0.02)
        return False

    write("10%", False)
    world = World(Flags(file=str(file), follow=(Follow(candidate="v2", sample="s", pause="p"),)))
    try:
        assert await follows((False, 0.1))
        write("20%", False)
        assert await follows((False, 0.2))
        write("20%", True)
        assert await follows((True, 0.2))
        write("20%", False)
        assert await follows((False, 0.2))
        write(20, False)  # another kind
        assert await follows((True, 0.2))
        write("30%", False)
        assert await follows((False, 0.3))
        write("30%", False, state="DISABLED")
        assert await follows((True, 0.3))
        write("40%", False)
        assert await follows((False, 0.4))
        file.write_text("no JSON")
        assert await follows((True, 0.4))
    finally:
        await world.following.close()
