"""A new configuration takes effect everywhere or nowhere.

    Prepare to every life that serves ──▶ all Prepared("") ──▶ Commit to all
                                     └──▶ an error, a death, or no answer in time ──▶ Abort to all

A life that began meanwhile has the old generation: once it is ready and the new one is in force, it is taken through
the same steps alone (`catch_up`), and replaced if it cannot follow.
"""

from __future__ import annotations

from collections.abc import Callable

from shadowproxy.settings.snapshot import Snapshot, encode
from shadowproxy.wire.messages import Abort, Commit, Prepare, Prepared

from .configuration import Configuration, takes_a_restart
from .crew import Crew
from .errors import RefusedError
from .life import Life
from .seat import Seat

Loader = Callable[[], Snapshot]  # raises RefusedError with what is wrong with the file


class Reload:
    def __init__(self, crew: Crew, configuration: Configuration, patience_s: float) -> None:
        self._crew = crew
        self._configuration = configuration
        self._patience_s = patience_s
        self._tried = configuration.current.generation  # aborted generations are not used again
        self._preparing: int | None = None
        self._answers: dict[Life, str] = {}

    async def apply(self, configured: Snapshot, *, warm: bool = False) -> int:
        """Returns the generation now in force; RefusedError when nothing changed.

        `warm`: workers must have reached production, and hold connections to it, before anybody commits.
        """
        fixed = takes_a_restart(self._configuration.configured, configured)
        if fixed:
            raise RefusedError(fixed)
        self._tried += 1
        generation = self._tried
        effective = self._configuration.effective(configured, generation)
        participants = [(seat, life) for seat, life in self._crew.lives() if life.state == "ready"]
        problems = await self._prepare(Prepare(generation, encode(effective), warm), participants)
        if problems:
            for _, life in participants:
                life.send(Abort(generation))
            raise RefusedError(problems)
        # From here to the end nothing awaits: no life can begin with the old generation in between
        # (test_reload: a life that begins during a reload follows).
        self._configuration.take(configured, effective)
        for _, life in participants:
            life.generation = generation
            life.send(Commit(generation))
        for seat, life in self._crew.lives():
            self.catch_up(seat, life)
        return generation

    async def _prepare(self, message: Prepare, participants: list[tuple[Seat, Life]]) -> list[str]:
        """What went wrong, a sentence each; empty when all are prepared."""
        self._answers = {}
        self._preparing = message.generation
        for _, life in participants:
            life.send(message)

        def decided() -> bool:
            failed = any(self._answers.values()) or any(seat.life is not life for seat, life in participants)
            return failed or all(life in self._answers for _, life in participants)

        try:
            await self._crew.until(decided, self._patience_s)
        finally:
            self._preparing = None
        return [why for seat, life in participants if (why := self._failure(seat, life))]

    def _failure(self, seat: Seat, life: Life) -> str:
        if seat.life is not life:
            return f"{seat.name} ended while it prepared: {seat.last_exit}"
        answer = self._answers.get(life)
        if answer is None:
            # Another's error ends the waiting early: who had not yet answered is not to blame.
            return "" if any(self._answers.values()) else f"{seat.name} did not prepare within {self._patience_s:g} s"
        return f"{seat.name}: {answer}" if answer else ""

    def prepared(self, seat: Seat, life: Life, message: Prepared) -> None:
        """A child answers: to the reload under way, or to its own catching up."""
        current = self._configuration.current.generation
        if message.generation == self._preparing:
            self._answers[life] = message.error
            self._crew.poke()
        elif message.generation == current and life.generation != current:
            if message.error:
                life.kill(f"it could not follow to generation {current}: {message.error}")
                return
            life.generation = current
            life.send(Commit(current))

    def catch_up(self, seat: Seat, life: Life) -> None:
        """To be called when a life is ready: it may have begun with an older generation."""
        current = self._configuration.current
        if life.state == "ready" and life.generation != current.generation:
            life.send(Prepare(current.generation, self._configuration.encoded))
