"""Calls that leave something behind, or stand on something that was left behind: they are never mirrored.

A copy of such a call would change the candidate, or ask it for what only production has. Two tables, read from the
model servers' documents: paths whose every call is of this kind, and paths where the body says whether this one is.

    protocol                        a call is stateful when
    Open Inference, Triton          it loads or unloads a model, names shared memory, sets tracing or logging; its body
                                    has a `sequence_id`, or a tensor in a `shared_memory_region`
    OpenAI-style                    it is about stored things (files, batches, threads, conversations …); /responses
                                    unless `store` is false and neither `previous_response_id` nor `conversation` is
                                    there (what nobody says is stored); /chat/completions with `store`: true
    Anthropic                       it is a batch or a file; /messages in a `container`
    TorchServe, SageMaker           it manages /models
    Seldon Core 1                   it is feedback
    vLLM, SGLang                    it loads an adapter, sleeps, wakes, profiles, resets or flushes caches

A body is searched for a member's name first, and read only where that is there. A name that is spelled with escapes
is not found; bytes that happen to look like one cost a copy, never a side effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from shadowproxy.core import jsontext

Holds = Callable[[bytes | bytearray], bool]

_ALWAYS: Final = (
    rb"/v2/repository/models/[^/]+(?:/versions/[^/]+)?/(?:un)?load",
    rb"/v[12]/models/[^/]+/(?:un)?load",
    rb"/v2/(?:system|cuda)sharedmemory/.*",
    rb"/v2/(?:models/[^/]+/)?trace/setting|/v2/logging",
    rb"(?:/openai)?/v1/(?:files|uploads|batches|assistants|threads|conversations|vector_stores|fine_tuning|containers)"
    rb"(?:/.*)?",
    rb"(?:/openai)?/v1/(?:responses|chat/completions)/.+",
    rb"/v1/messages/batches(?:/.*)?",
    rb"/models(?:/[^/]+(?:/[0-9][^/]*(?:/set-default)?)?)?",
    rb"(?:/seldon/[^/]+/[^/]+)?/api/v[01]\.[01]/feedback",
    rb"(?:/v1)?/(?:un)?load_lora_adapter",
    rb"/(?:sleep|wake_up|pause|resume|collective_rpc|(?:start|stop)_profile|reset_\w+_cache|flush_cache)",
    rb"/(?:update_weights\w*|(?:release|resume)_memory_occupation|(?:open|close)_session)",
)


def _mark(name: bytes, unless: bytes) -> tuple[bytes, re.Pattern[bytes]]:
    """A member `name` anywhere whose value is not `unless`; a quote behind a backslash is text, not a name."""
    value = rb'(?<!\\)"%b"[ \t\r\n]*+:[ \t\r\n]*+(?!(?:%b)[ \t\r\n]*+[,}])' % (name, unless)
    return b'"%b"' % name, re.compile(value)


def _any(*marks: tuple[bytes, re.Pattern[bytes]]) -> Holds:
    # One byte is found ten times as fast as a name, and most bodies have no underscore.
    telling = b"_" if all(b"_" in name for name, _ in marks) else b'"'

    def holds(body: bytes | bytearray) -> bool:
        if body.find(telling) < 0:
            return False
        for name, member in marks:  # noqa: SIM110 - on production's loop, and any() costs a generator
            # Not `in`, which first tries whether the name is a number.
            if body.find(name) >= 0 and member.search(body) is not None:
                return True
        return False

    return holds


_NO_ID: Final = rb'null|0|""'
_on_left_behind: Final = _any(_mark(b"previous_response_id", b"null"), _mark(b"conversation", b"null"))


def _stores_or_continues(body: bytes | bytearray) -> bool:
    return b'"store"' not in body or _on_left_behind(body) or jsontext.value(body, ("store",)) != "false"


_BY_BODY: Final[tuple[tuple[bytes, Holds], ...]] = (
    (
        rb"/v2/models/[^/]+(?:/versions/[^/]+)?/(?:infer|generate|generate_stream)",
        _any(_mark(b"sequence_id", _NO_ID), _mark(b"shared_memory_region", rb'null|""')),
    ),
    (rb"(?:/openai)?(?:/v1)?/responses", _stores_or_continues),
    (rb"(?:/openai)?/v1/chat/completions", _any(_mark(b"store", rb"false|null"))),
    (rb"/v1/messages", _any(_mark(b"container", b"null"))),
)

_PATHS: Final = re.compile(
    rb"(?:"
    + rb"|".join([rb"(?:" + rb"|".join(_ALWAYS) + rb")()", *(rb"(?:" + path + rb")()" for path, _ in _BY_BODY)])
    + rb")/?(?:\?.*)?\Z",
    re.DOTALL,
)
_HOLDS: Final[tuple[Holds, ...]] = (lambda _body: True, *(holds for _, holds in _BY_BODY))


def rule(target: bytes) -> Holds | None:
    """What decides whether a call to this target (path and query) is stateful, given its body; None: it is not."""
    found = _PATHS.match(target)
    return None if found is None or found.lastindex is None else _HOLDS[found.lastindex - 1]


class Rules(dict[bytes, Holds | None]):
    """A memo of `rule`: clients ask for few targets. It is bounded, and forgets all at once."""

    __slots__ = ()

    def __missing__(self, target: bytes) -> Holds | None:
        found = rule(target)
        if len(self) >= 1024:
            self.clear()
        if len(target) <= 256:
            self[target] = found
        return found


RULES: Final = Rules()
