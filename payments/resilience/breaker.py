"""Stops calling a dependency that is down, and finds out carefully when it is up again.

The split into `before` and `after`, and the generation that makes late results count for nothing, are those of
sony/gobreaker; the states are those of Michael Nygard's "Release It!".
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from payments.failures import CircuitOpen
from payments.resilience.breaker_state import Permit
from payments.resilience.outcome import Outcome, outcome_of

_TRIES = 2


class Side(Protocol):
    """Where the rules are kept: in this process, or in Redis for the fleet."""

    @property
    def generation(self) -> int: ...  # noqa: D102 - of the state that it is in
    @property
    def free_pass(self) -> Permit | None: ...  # noqa: D102 - the permit of the closed state
    def ask(self) -> Permit | None: ...  # noqa: D102 - None: refused
    def count(self, generation: int, *, failed: bool, slow: bool) -> None: ...  # noqa: D102
    def probed(self, permit: Permit, outcome: Outcome, *, slow: bool) -> None: ...  # noqa: D102
    def wait_seconds(self) -> float: ...  # noqa: D102


class Breaker:
    """One dependency's breaker, in one process. Threads and greenlets may share it.

    `side` is where the rules are kept just now; it changes while the fleet cannot be reached. A closed breaker costs a
    look at the clock and no round trip. `keep_up` tells and learns, where that is due.
    """

    def __init__(
        self,
        name: str,
        side: Side,
        slow_call_seconds: float,
        keep_up: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.side = side
        self._slow_call_seconds = slow_call_seconds
        self._keep_up = keep_up
        self._clock = clock

    def before(self) -> Permit:
        """Return leave for one call, to be handed to `after` whatever becomes of it. Raises CircuitOpen."""
        self._keep_up()
        return self.side.free_pass or self._ask()

    def after(self, permit: Permit, outcome: Outcome, seconds: float) -> None:
        """Take the outcome of the call that `permit` was given for, and how long it took. Never raises."""
        slow = seconds > self._slow_call_seconds
        if permit.probe is not None:
            self.side.probed(permit, outcome, slow=slow)
        elif outcome is not Outcome.EXCLUDED:
            failed = outcome is Outcome.FAILURE
            self.side.count(permit.generation, failed=failed, slow=slow)
            if failed:
                self._keep_up()

    def call(self) -> "Call":
        """Return a context manager for one call: it raises CircuitOpen, and takes the outcome from the exception."""
        return Call(self, self._clock)

    def _ask(self) -> Permit:
        for _ in range(_TRIES):  # twice: where Redis fails to answer, this process' own breaker has the say by then
            permit = self.side.free_pass or self.side.ask()
            if permit is not None:
                return permit
        raise CircuitOpen(
            f"the breaker of {self.name} is open, so it was not asked",
            retry_after_seconds=self.side.wait_seconds(),
            code="circuit_open",
            service=self.name,
        )


class Call:
    """One call under a breaker."""

    __slots__ = ("_breaker", "_clock", "_permit", "_since")

    def __init__(self, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._breaker = breaker
        self._clock = clock

    def __enter__(self) -> None:
        self._permit = self._breaker.before()
        self._since = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._breaker.after(self._permit, outcome_of(error, self._breaker.name), self._clock() - self._since)
