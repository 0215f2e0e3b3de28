"""Leave to ask a provider, got before each call: from the breaker, the retry budget and the rate limit of the fleet."""

import time
from collections.abc import Callable
from types import TracebackType

from payments.failures import RateLimited
from payments.resilience.breaker import Breaker
from payments.resilience.breaker_state import Permit
from payments.resilience.outcome import Outcome, outcome_of
from payments.resilience.rate_limit import RateLimits
from payments.resilience.retry_budget import RetryBudgets
from payments.resilience.switchboard import Switchboard


class Leave:
    """The leave for one call, to be used as a context around it: what comes out of the block tells how it went."""

    def __init__(self, limits: RateLimits, breaker: Breaker, permit: Permit, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._breaker = breaker
        self._permit = permit
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Count the provider's time from here: what was done under this leave before was somebody else's."""
        self._since = self._clock()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._breaker.after(self._permit, outcome_of(error, self._breaker.name), self._clock() - self._since)
        if isinstance(error, RateLimited):
            self._limits.pause(self._breaker.name, error.retry_after_seconds)


class Guard:
    """Stands before the providers, in one process, for the whole fleet."""

    def __init__(
        self,
        switchboard: Switchboard,
        limits: RateLimits,
        budgets: RetryBudgets,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._switchboard = switchboard
        self._limits = limits
        self._budgets = budgets
        self._clock = clock

    def leave(self, name: str, *, again: bool) -> Leave:
        """Return the leave for one call to the provider `name`; `again` says that an earlier attempt has failed.

        Raises CircuitOpen, BudgetSpent and RateExceeded, in this order: what costs least is asked first, and nothing
        that is refused uses up what the others could have.
        """
        breaker = self._switchboard.breaker(name)
        permit = breaker.before()
        try:
            if again:
                self._budgets.spend(name)
            self._limits.take(name)
        except BaseException:
            breaker.after(permit, Outcome.EXCLUDED, 0.0)
            raise
        if not again:
            self._budgets.count(name)
        return Leave(self._limits, breaker, permit, self._clock)
