"""Questions to the log, answered by a process of its own (`python -m shadowproxy.report`) with a deadline."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from typing import Any, Final

import msgspec

AT_ONCE: Final = 2  # such processes
WAITING: Final = 16  # questions that wait for one of them; more are refused
ANSWERED: Final = 4  # the exit code at which stderr is an answer too: it says why there is none

_slots = asyncio.Semaphore(AT_ONCE)
_waiting = 0


class AskedError(Exception):
    """There is no answer; one sentence. `is_answer`: the log was read, and what was asked for is not in it."""

    def __init__(self, sentence: str, *, is_answer: bool = False) -> None:
        super().__init__(sentence)
        self.is_answer = is_answer


async def ask(question: Mapping[str, Any], deadline_s: int) -> bytes:
    """What the process says, for whoever comes: few at once, more wait, still more are refused. Raises AskedError."""
    global _waiting
    if _waiting >= WAITING:
        raise AskedError(f"{WAITING} questions to the log are already waiting.")
    _waiting += 1
    try:
        async with _slots:
            return await ask_at_once(question, deadline_s)
    finally:
        _waiting -= 1


async def ask_at_once(question: Mapping[str, Any], deadline_s: int) -> bytes:
    """The same for one that asks by itself and never twice at a time: it waits for nobody. Raises AskedError."""
    try:
        scratch = tempfile.mkdtemp(prefix="shadowproxy-asked-")
    except OSError as e:
        raise AskedError(f"There is no place for temporary files: {e.strerror or e}.") from e
    try:
        return await _asked(question, deadline_s, {**os.environ, "TMPDIR": scratch})
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # a process that was killed has not cleared up behind itself


async def _asked(question: Mapping[str, Any], deadline_s: int, environment: Mapping[str, str]) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "shadowproxy.report", stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
        )
    except OSError as e:
        raise AskedError(f"The system started no process: {e.strerror or e}.") from e
    try:
        async with asyncio.timeout(deadline_s):
            out, err = await process.communicate(msgspec.json.encode({**question, "deadline_s": deadline_s}))
    except TimeoutError:
        raise AskedError(f"The log gave no answer within {deadline_s} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return out
    last = err.decode(errors="replace").strip().rpartition("\n")[2]
    sentence = (last or f"The process that reads the log ended with code {process.returncode}").rstrip(".") + "."
    raise AskedError(sentence, is_answer=process.returncode == ANSWERED)
