"""One breaker on a clock that the test moves, whichever side keeps its rules."""

import redis

from payments.failures import CircuitOpen
from payments.resilience.breaker import Breaker
from payments.resilience.breaker_state import Permit
from payments.resilience.exchange import Exchange
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard

SUCCESS, FAILURE, EXCLUDED = Outcome

POLICY = BreakerPolicy(
    consecutive_failures=5,
    minimum_volume=10,
    failure_rate=0.5,
    slow_rate=0.8,
    slow_call_seconds=3.0,
    window_seconds=60.0,
    buckets=10,
    open_seconds=30.0,
    open_factor=2.0,
    open_cap_seconds=100.0,
    probes=3,
    successes=2,
    probe_seconds=15.0,
)


class Clock:
    """Seconds that pass when the test says so. Redis is told the same time."""

    def __init__(self) -> None:
        self.us = 1_000_000_000

    def __call__(self) -> float:
        return self.us / 1_000_000

    def advance(self, seconds: float) -> None:
        self.us += round(seconds * 1_000_000)


class Trial:
    """A process with one breaker: `client` None makes it the process' own, otherwise the fleet shares it."""

    def __init__(self, client: redis.Redis | None, policy: BreakerPolicy = POLICY, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.told: list[tuple[str, dict[str, object]]] = []
        self.exchange = Exchange(client, self._tell, self.clock)
        self.board = Switchboard(
            self.exchange, {"default": policy}, self._tell, self.clock, time_us=lambda: self.clock.us
        )
        self.breaker: Breaker = self.board.breaker("stripe")
        self.settle()

    def settle(self) -> None:
        """Tell the fleet, and learn, where there is one."""
        self.exchange.at_once()

    def before(self) -> Permit | float:
        """Return a permit, or after how many seconds to come back."""
        try:
            return self.breaker.before()
        except CircuitOpen as refused:
            return refused.retry_after_seconds

    def permit(self) -> Permit:
        """Return the permit that must be given now."""
        permit = self.before()
        assert isinstance(permit, Permit), f"refused for {permit} s"
        return permit

    def refused_seconds(self) -> float:
        """Return for how long the refusal is that must be given now."""
        seconds = self.before()
        assert isinstance(seconds, float), "let through"
        return seconds

    def after(self, permit: Permit, outcome: Outcome, seconds: float = 0.01) -> None:
        self.breaker.after(permit, outcome, seconds)
        self.settle()

    def calls(self, *outcomes: Outcome, seconds: float = 0.01) -> None:
        """Make a call for each of `outcomes`; each must be let through."""
        for outcome in outcomes:
            self.after(self.permit(), outcome, seconds)

    def open(self) -> None:
        self.calls(*[FAILURE] * 5)
        self.refused_seconds()

    def half_open(self, after_seconds: float = 30.0) -> Permit:
        """Open it, let the time pass, and return the first permit."""
        self.open()
        self.clock.advance(after_seconds)
        return self.permit()

    def changes(self) -> list[tuple[str, str, object]]:
        """What was logged of changes of state: from, to, why."""
        names = {"breaker_opened": "open", "breaker_half_open": "half_open", "breaker_closed": "closed"}
        return [
            (str(told["was"]), names.get(event, "isolated"), told["reason"])
            for event, told in self.told
            if event.startswith("breaker_")
        ]

    def _tell(self, event: str, **fields: object) -> None:
        self.told.append((event, fields))
