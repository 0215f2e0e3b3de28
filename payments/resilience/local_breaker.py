"""The rules of a breaker, kept by one process for itself: while Redis is away, and for what is never shared.

Closed, it opens on too many failures in a row, or too great a share of failures or of slow calls in the window. Open,
it refuses until its time is over; each opening in a row lasts longer. Half-open, it gives out a few permits: enough
successes close it, one failure opens it. The scripts `lua/breaker*.lua` keep the same rules for the fleet, and one set
of tests holds both to them.
"""

import time
from collections.abc import Callable
from threading import Lock

from payments.resilience.breaker_state import Change, Permit, State
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.window import Window, micros

_LOOK_AGAIN_US = 1_000_000
_MOST_GROWTH = 64  # by then every factor above 1 has reached its cap, or never will


class LocalBreaker:
    """One breaker in one process. `clock` gives monotonic seconds; `hear` is told of each change of state.

    `free_pass` is the permit of the closed state, and None in the others.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        hear: Callable[[Change, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._hear = hear
        self._clock = clock
        self._lock = Lock()
        self._isolated = False
        self._streak = 0
        self._consecutive = 0
        self._probes: dict[str | None, int] = {}
        self._enter(State.CLOSED, self._now_us(), self._now_us())

    def adopt(self, state: State, generation: int, wait_seconds: float, *, isolated: bool) -> None:
        """Go on from what the fleet knew last: refuse for `wait_seconds` longer if it was open."""
        with self._lock:
            now_us = self._now_us()
            self._streak, self._isolated = int(state is not State.CLOSED), isolated
            self._enter(state, generation, now_us)
            self._until_us = now_us + micros(wait_seconds)

    def ask(self) -> Permit | None:
        """Return leave for one call; None: refused, for at least `wait_seconds`."""
        with self._lock:
            now_us = self._now_us()
            if self._state is State.OPEN and not self._isolated and now_us >= self._until_us:
                self._change(State.HALF_OPEN, "open_time_over", now_us)
            if self._state is State.HALF_OPEN and self._places_left(now_us) > 0:
                return self._give_probe(now_us)
            return self.free_pass

    def count(self, generation: int, *, failed: bool, slow: bool) -> None:
        """Count the result of a call that was let through in the closed state of `generation`."""
        with self._lock:
            if self._state is not State.CLOSED or generation != self.generation:
                return
            now_us = self._now_us()
            self._window.add(failed=failed, slow=slow, now_us=now_us)
            self._consecutive = self._consecutive + 1 if failed else 0
            if reason := self._reason_to_open():
                self._open(reason, now_us)

    def probed(self, permit: Permit, outcome: Outcome, *, slow: bool) -> None:
        """Take back a permit of the half-open state. One that has expired, or is of another time, is void."""
        with self._lock:
            now_us = self._now_us()
            self._drop_expired(now_us)
            if permit.generation != self.generation or self._probes.pop(permit.probe, None) is None:
                return
            if outcome is Outcome.FAILURE:
                self._open("probe_failed", now_us)
            elif outcome is Outcome.SUCCESS and slow:
                self._open("probe_slow", now_us)
            elif outcome is Outcome.SUCCESS:
                self._succeed(now_us)

    def wait_seconds(self) -> float:
        """Return how long there is no sense in asking again."""
        with self._lock:
            now_us = self._now_us()
            if self._isolated:
                return self._policy.open_seconds
            if self._state is State.OPEN:
                return max(0, self._until_us - now_us) / 1_000_000
            if self._state is State.HALF_OPEN and self._places_left(now_us) <= 0:
                return (min(now_us + _LOOK_AGAIN_US, *self._probes.values()) - now_us) / 1_000_000
            return 0.0

    def trip(self) -> None:
        """Open for the open time."""
        with self._lock:
            if not self._isolated:
                self._open("tripped", self._now_us())

    def isolate(self) -> None:
        """Open until `reset`."""
        with self._lock:
            if not self._isolated:
                self._change(State.OPEN, "isolated", self._now_us())
                self._isolated = True

    def reset(self) -> None:
        """Close, and hold nothing against it."""
        with self._lock:
            self._isolated, self._streak = False, 0
            self._change(State.CLOSED, "reset", self._now_us())

    @property
    def state(self) -> State:
        """What it does with calls."""
        return self._state

    def _now_us(self) -> int:
        return micros(self._clock())

    def _reason_to_open(self) -> str | None:
        policy, window = self._policy, self._window
        if self._consecutive >= policy.consecutive_failures:
            return "consecutive_failures"
        if window.calls < policy.minimum_volume:
            return None
        if window.failures >= policy.failure_rate * window.calls:
            return "failure_rate"
        return "slow_rate" if policy.slow_rate and window.slow >= policy.slow_rate * window.calls else None

    def _open(self, reason: str, now_us: int) -> None:
        policy = self._policy
        if self._state is State.CLOSED and now_us - self._since_us >= micros(policy.window_seconds):
            self._streak = 0
        self._streak += 1
        self._change(State.OPEN, reason, now_us)
        growth = policy.open_factor ** min(self._streak - 1, _MOST_GROWTH)
        self._until_us = now_us + micros(min(policy.open_cap_seconds, policy.open_seconds * growth))

    def _succeed(self, now_us: int) -> None:
        self._succeeded += 1
        if self._succeeded >= min(self._policy.successes, self._policy.probes):
            self._change(State.CLOSED, "probes_succeeded", now_us)

    def _places_left(self, now_us: int) -> int:
        """Return how many more calls may go out. What went well keeps its place, so no more than `probes` do."""
        self._drop_expired(now_us)
        return self._policy.probes - self._succeeded - len(self._probes)

    def _drop_expired(self, now_us: int) -> None:
        self._probes = {probe: expiry for probe, expiry in self._probes.items() if expiry > now_us}

    def _give_probe(self, now_us: int) -> Permit:
        self._given += 1
        probe = f"alone-{self._given}"  # never the name of a permit that the fleet gave
        self._probes[probe] = now_us + micros(self._policy.probe_seconds)
        return Permit(self.generation, probe)

    def _change(self, state: State, reason: str, now_us: int) -> None:
        change = Change(self._state, state, reason)
        self._enter(state, max(self.generation + 1, now_us), now_us)
        self._hear(change, self.generation)

    def _enter(self, state: State, generation: int, now_us: int) -> None:
        self._state = state
        self._since_us, self._until_us = now_us, 0
        self.generation = generation
        self._window = Window(self._policy)
        self._probes = {}
        self._consecutive = self._succeeded = self._given = 0
        self.free_pass = Permit(self.generation) if state is State.CLOSED else None
