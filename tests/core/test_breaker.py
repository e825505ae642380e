from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shadowproxy.core.breaker import CLOSED, HALF_OPEN, OPEN, Breaker

WINDOW_S, PROBE_S = 10.0, 5.0


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(3, WINDOW_S, PROBE_S)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_it_opens_at_the_last_of_so_many_failures() -> None:
    breaker = Breaker(3, WINDOW_S, PROBE_S)
    for at in (1.0, 2.0):
        breaker.failed(at)
        assert breaker.allows(at)
    breaker.failed(3.0)
    assert breaker.state == OPEN
    assert not breaker.allows(3.0)


def test_failures_that_lie_further_apart_than_the_window_do_not_open_it() -> None:
    breaker = Breaker(3, WINDOW_S, PROBE_S)
    for at in (0.0, 5.0, 10.1, 15.2, 20.3):
        breaker.failed(at)
    assert breaker.state == CLOSED
    breaker.failed(20.3)  # 15.2, 20.3, 20.3
    assert breaker.state == OPEN


def test_answers_between_failures_do_not_take_them_back() -> None:
    """A candidate that fails every other time is failing: the count is of a window, not of a run."""
    breaker = Breaker(3, WINDOW_S, PROBE_S)
    for at in (0.0, 1.0, 2.0):
        breaker.succeeded(at)
        breaker.failed(at)
    assert breaker.state == OPEN


def test_one_probe_leaves_at_a_time() -> None:
    breaker = opened(at=0.0)
    assert not breaker.allows(4.9)
    assert breaker.allows(5.0)
    assert breaker.state == HALF_OPEN
    assert [breaker.allows(at) for at in (5.0, 6.0, 60.0)] == [False] * 3


def test_a_good_probe_closes_it_and_a_bad_one_opens_it_for_as_long_again() -> None:
    good, bad = opened(), opened()
    assert good.allows(5.0)
    assert bad.allows(5.0)
    good.succeeded(5.5)
    assert (good.state, good.closed_at) == (CLOSED, 5.5)
    bad.failed(5.5)
    assert (bad.allows(10.4), bad.allows(10.5)) == (False, True)


def test_failures_from_before_it_opened_do_not_count_after_it_closed() -> None:
    breaker = opened()
    assert breaker.allows(5.0)
    breaker.succeeded(5.0)
    breaker.failed(5.1)
    breaker.failed(5.1)
    assert breaker.state == CLOSED


def test_a_probe_that_was_not_sent_is_lent_again() -> None:
    breaker = opened()
    assert breaker.allows(5.0)
    breaker.unused()
    assert breaker.allows(5.1)


def test_a_late_answer_does_not_close_an_open_breaker() -> None:
    breaker = opened()
    breaker.succeeded(0.1)
    assert breaker.state == OPEN


class Machine(RuleBasedStateMachine):
    """Against a model that keeps every failure and looks back."""

    @initialize(failures=st.integers(1, 4))
    def begin(self, failures: int) -> None:
        self.now = 0.0
        self.limit = failures
        self.breaker = Breaker(failures, WINDOW_S, PROBE_S)
        self.state = CLOSED
        self.failed_at: list[float] = []
        self.opened_at = 0.0
        self.probes_out = 0

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 4.9, 5.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def ask(self) -> None:
        if self.state == OPEN and self.now >= self.opened_at + PROBE_S:
            self.state, self.probes_out = HALF_OPEN, 0
        expected = self.state == CLOSED or (self.state == HALF_OPEN and self.probes_out == 0)
        assert self.breaker.allows(self.now) == expected
        if self.state == HALF_OPEN and expected:
            self.probes_out = 1

    @rule()
    def give_the_probe_back(self) -> None:
        if self.state == HALF_OPEN:
            self.breaker.unused()
            self.probes_out = 0

    @rule()
    def succeed(self) -> None:
        self.breaker.succeeded(self.now)
        if self.state == HALF_OPEN:
            self.state, self.failed_at = CLOSED, []

    @rule()
    def fail(self) -> None:
        self.breaker.failed(self.now)
        self.failed_at.append(self.now)
        recent = [at for at in self.failed_at if self.now - at <= WINDOW_S]
        if self.state == HALF_OPEN or (self.state == CLOSED and len(recent) >= self.limit):
            self.state, self.opened_at, self.failed_at = OPEN, self.now, []

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "breaker"):
            assert self.breaker.state == self.state


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30)


@given(st.lists(st.booleans(), max_size=50))
def test_a_closed_breaker_allows_everything(answers: list[bool]) -> None:
    breaker = Breaker(1000, WINDOW_S, PROBE_S)
    for at, good in enumerate(answers):
        assert breaker.allows(float(at))
        (breaker.succeeded if good else breaker.failed)(float(at))
