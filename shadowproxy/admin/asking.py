"""Questions to the supervisor over the control socket, each with its answer or a reason why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from shadowproxy.wire.messages import Answer, Ask

TIMEOUT_S: Final = 2.0
CHANGE_S: Final = 60.0  # for a change: every process has to prepare, and others may be before it in the line
MAX_OPEN: Final = 256  # questions without an answer yet; more are refused


class NoAnswerError(Exception):
    """The supervisor did not answer; one sentence."""


class RefusedError(Exception):
    """The supervisor will not do it; `problems` are sentences. Nothing has changed.

    `kind`: `conflict`, `elsewhere` (the configuration is another one meanwhile), `unknown` (there is no such
    candidate), `fault`.
    """

    def __init__(self, kind: str, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.kind = kind
        self.problems = tuple(problems)


class Asker:
    def __init__(self, send: Callable[[Ask], None]) -> None:
        self._send = send
        self._open: dict[int, asyncio.Future[Answer]] = {}
        self._last_id = 0
        self._gone = False

    async def ask(self, verb: str, timeout_s: float = TIMEOUT_S, body: Any = None) -> Any:
        """The answer's body; NoAnswerError when it is late or the supervisor is gone, RefusedError when it says no."""
        if self._gone:
            raise NoAnswerError("The supervisor is gone: this proxy is about to end.")
        if len(self._open) >= MAX_OPEN:
            raise NoAnswerError(f"{MAX_OPEN} questions to the supervisor are already without an answer.")
        self._last_id += 1
        number = self._last_id
        future = self._open[number] = asyncio.get_running_loop().create_future()
        self._send(Ask(number, verb, body))
        try:
            answer = await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise NoAnswerError(f"The supervisor did not answer within {timeout_s:g} s.") from None
        finally:
            self._open.pop(number, None)
        if not answer.ok:
            if isinstance(answer.body, dict):
                raise RefusedError(answer.body["kind"], answer.body["problems"])
            raise NoAnswerError(f"The supervisor refused: {answer.body}")
        return answer.body

    def answered(self, answer: Answer) -> None:
        future = self._open.get(answer.id)
        if future is not None and not future.done():
            future.set_result(answer)

    def orphaned(self) -> None:
        """No answer will come any more."""
        self._gone = True
        for future in self._open.values():
            if not future.done():
                future.set_exception(NoAnswerError("The supervisor is gone: this proxy is about to end."))
