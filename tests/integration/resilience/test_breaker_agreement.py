"""Any history goes the same way in Python and in Lua, step by step."""

import msgspec
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.resilience.breaker_state import Permit
from payments.resilience.outcome import Outcome
from tests.integration.resilience.breakers import POLICY, Trial

SMALL = msgspec.structs.replace(
    POLICY, consecutive_failures=3, minimum_volume=4, window_seconds=10.0, buckets=7, open_seconds=5.5, open_factor=1.7
)

OUTCOMES = st.sampled_from(Outcome)
BEGIN = st.just(("begin",))
END = st.tuples(st.just("end"), st.integers(0, 3), OUTCOMES, st.sampled_from([0.1, 3.0, 3.1]))
CALL = st.tuples(st.just("call"), OUTCOMES, st.sampled_from([0.1, 3.1]))
DOWN = st.tuples(st.just("down"), st.sampled_from([4.0, 5.5, 9.35, 15.895]))
TIME = st.tuples(st.just("time"), st.sampled_from([0.05, 0.7, 3.3, 5.5, 9.35, 15.0]))
HISTORIES = st.lists(st.one_of(BEGIN, END, CALL, DOWN, TIME), max_size=20)


class Player:
    """Plays a history on one breaker, and writes down what could be seen after each step."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.under_way: list[Permit] = []
        self.seen: list[tuple[object, ...]] = []

    def play(self, history: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        for verb, *words in history:
            getattr(self, f"_{verb}")(*words)
            self.seen.append((verb, tuple(self.trial.changes()), round(self.trial.breaker.side.wait_seconds(), 6)))
        return self.seen

    def _begin(self) -> None:
        permit = self.trial.before()
        if isinstance(permit, Permit):
            self.under_way.append(permit)
            self.seen.append(("let through", permit.probe is not None, permit.generation))
        else:
            self.seen.append(("refused", round(permit, 6)))

    def _end(self, which: int, outcome: Outcome, seconds: float) -> None:
        if self.under_way:
            self.trial.after(self.under_way.pop(which % len(self.under_way)), outcome, seconds)

    def _call(self, outcome: Outcome, seconds: float) -> None:
        before = len(self.under_way)
        self._begin()
        if len(self.under_way) > before:
            self._end(before, outcome, seconds)

    def _down(self, seconds: float) -> None:
        for _ in range(3):
            self._call(Outcome.FAILURE, 0.1)
        self._time(seconds)
        self._begin()

    def _time(self, seconds: float) -> None:
        self.trial.clock.advance(seconds)
        self.trial.settle()


@settings(max_examples=500, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES)
def test_python_and_lua_keep_the_same_rules(line: redis.Redis, history: list[tuple[object, ...]]) -> None:
    line.flushall()
    assert Player(Trial(line, SMALL)).play(history) == Player(Trial(None, SMALL)).play(history)
