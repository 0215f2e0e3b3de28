"""The breaker that a process keeps for itself, against a model that remembers every call. Its rules one by one are in
tests/integration/resilience/test_breaker_contract.py, where those of the fleet are held against the same tests.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from payments.resilience.breaker_state import Change, Permit
from payments.resilience.local_breaker import LocalBreaker
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy

POLICY = BreakerPolicy(
    consecutive_failures=3,
    minimum_volume=4,
    failure_rate=0.6,
    slow_rate=0.75,
    window_seconds=10.0,
    buckets=5,
    open_seconds=5.0,
    open_factor=2.0,
    open_cap_seconds=12.0,
    probes=2,
    successes=2,
    probe_seconds=3.0,
)
BUCKET_SECONDS = 2
OUTCOMES = st.sampled_from([Outcome.SUCCESS, Outcome.FAILURE, Outcome.EXCLUDED])


@dataclass
class Model:
    """A breaker that keeps every call and every change, and works out the rest anew each time. Whole seconds."""

    now: int = 1000
    state: str = "closed"
    since: int = 1000
    until: int = 0
    streak: int = 0
    epoch: int = 0
    calls: list[tuple[int, bool, bool]] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)
    given: int = 0
    went_well: int = 0

    def become(self, state: str) -> None:
        self.state, self.since, self.epoch = state, self.now, self.epoch + 1
        self.calls, self.held, self.went_well = [], {}, 0

    def open(self) -> None:
        quiet = self.state == "closed" and self.now - self.since >= 10
        self.streak = 1 if quiet else self.streak + 1
        self.become("open")
        self.until = self.now + (5, 10, 12)[min(self.streak, 3) - 1]

    def before(self) -> tuple[int, int | None] | None:
        """Return the epoch, and which probe it is; None: refused."""
        if self.state == "open" and self.now >= self.until:
            self.become("half_open")
        if self.state == "closed":
            return self.epoch, None
        if self.state == "half_open" and self.went_well + len(self.in_hand()) < 2:
            self.given += 1
            self.held[self.given] = self.now + 3
            return self.epoch, self.given
        return None

    def in_hand(self) -> list[int]:
        return [probe for probe, expiry in self.held.items() if expiry > self.now]

    def after(self, epoch: int, probe: int | None, outcome: Outcome, *, slow: bool) -> None:
        if epoch != self.epoch:
            return
        if probe is None and outcome is not Outcome.EXCLUDED:
            self.calls.append((self.now, outcome is Outcome.FAILURE, slow))
            if self.is_too_much():
                self.open()
        elif probe in self.in_hand():
            del self.held[probe]  # type: ignore[arg-type]  # it is in hand, so it is a number
            self.judge(outcome, slow=slow)

    def judge(self, outcome: Outcome, *, slow: bool) -> None:
        if outcome is Outcome.EXCLUDED:
            return
        if outcome is Outcome.FAILURE or slow:
            self.open()
            return
        self.went_well += 1
        if self.went_well == 2:
            self.become("closed")

    def is_too_much(self) -> bool:
        if [failed for _, failed, _ in self.calls[-3:]] == [True] * 3:
            return True
        bucket = self.now // BUCKET_SECONDS
        recent = [call for call in self.calls if call[0] // BUCKET_SECONDS > bucket - 5]
        failures, slow = sum(call[1] for call in recent), sum(call[2] for call in recent)
        return len(recent) >= 4 and (failures >= 0.6 * len(recent) or slow >= 0.75 * len(recent))


class Histories(RuleBasedStateMachine):
    """Any order of calls begun, calls ended and time going by."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.changes: list[tuple[Change, int]] = []
        self.breaker = LocalBreaker(
            POLICY, lambda change, generation: self.changes.append((change, generation)), lambda: float(self.model.now)
        )
        self.under_way: list[tuple[Permit, tuple[int, int | None]]] = []

    @rule(outcomes=st.lists(st.tuples(OUTCOMES, st.booleans()), min_size=1, max_size=4))
    def calls(self, outcomes: list[tuple[Outcome, bool]]) -> None:
        for outcome, slow in outcomes:
            self.begin()
            self.end(outcome, slow, -1)

    @rule(outcomes=st.lists(st.tuples(OUTCOMES, st.booleans()), max_size=2))
    def half_opens(self, outcomes: list[tuple[Outcome, bool]]) -> None:
        """Chance alone would seldom come so far."""
        for _ in range(3):
            self.begin()
            self.end(Outcome.FAILURE, False, -1)
        self.model.now = max(self.model.now, self.model.until)
        self.calls(outcomes)

    @rule()
    def begin(self) -> None:
        expected = self.model.before()
        permit = self.breaker.free_pass or self.breaker.ask()
        assert (permit is None) == (expected is None)
        if permit is not None and expected is not None:
            assert (permit.probe is None) == (expected[1] is None)
            self.under_way.append((permit, expected))

    @rule(outcome=OUTCOMES, slow=st.booleans(), which=st.integers(-2, 1))
    def end(self, outcome: Outcome, slow: bool, which: int) -> None:  # noqa: FBT001 - Hypothesis passes by name
        if not self.under_way:
            return
        permit, expected = self.under_way.pop(which % len(self.under_way))
        self.model.after(*expected, outcome, slow=slow)
        if permit.probe is not None:
            self.breaker.probed(permit, outcome, slow=slow)
        elif outcome is not Outcome.EXCLUDED:
            self.breaker.count(permit.generation, failed=outcome is Outcome.FAILURE, slow=slow)

    @rule(seconds=st.sampled_from([1, 2, 3, 5, 10, 12]))
    def time_goes_by(self, seconds: int) -> None:
        self.model.now += seconds

    @invariant()
    def it_is_as_the_model(self) -> None:
        assert self.breaker.state == self.model.state
        if self.model.state == "open":
            assert self.breaker.wait_seconds() == max(0, self.model.until - self.model.now)
        generations = [generation for _, generation in self.changes]
        assert generations == sorted(set(generations))
        assert self.breaker.generation >= max(generations, default=0)


@pytest.mark.parametrize("histories", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_histories_go_as_the_model_says(histories: int) -> None:
    # no shrinking: the longest history is 4 steps, and looking for a shorter one may take longer than a test may
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # Hypothesis has not typed it
        Histories,
        settings=settings(
            max_examples=histories,
            stateful_step_count=4,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
