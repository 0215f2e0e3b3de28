"""A breaker that the fleet shares while Redis can be reached, and that each process keeps for itself otherwise."""

import time
from collections.abc import Callable
from typing import Any

from payments.resilience.breaker import Breaker
from payments.resilience.breaker_state import Change, State
from payments.resilience.exchange import Exchange, Request
from payments.resilience.local_breaker import LocalBreaker
from payments.resilience.policy import BreakerPolicy
from payments.resilience.shared_breaker import Caller, SharedBreaker

_EVENTS = {State.OPEN: "breaker_opened", State.HALF_OPEN: "breaker_half_open", State.CLOSED: "breaker_closed"}


class FleetBreaker:
    """The two sides of one breaker. `breaker` is what callers use; it always has the side that counts now."""

    def __init__(
        self,
        caller: Caller,
        policy: BreakerPolicy,
        exchange: Exchange,
        tell: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shared = SharedBreaker(caller, policy, exchange, teller(caller.name, tell, shared=True), clock)
        self._local = LocalBreaker(policy, teller(caller.name, tell, shared=False), clock)
        side = self._local if exchange.alone else self.shared
        self.breaker = Breaker(caller.name, side, policy.slow_after_seconds, exchange.keep_up, clock)

    def report(self) -> Request:
        """Return what the fleet is to be told now."""
        return self.shared.report()

    def learn(self, answer: list[Any]) -> None:
        """Take the state of the fleet, and go by it from now on."""
        self.shared.learn(answer)
        self.breaker.side = self.shared

    def alone(self) -> None:
        """Go on as this process' own breaker, from the state that the fleet had when it was last heard of."""
        shared = self.shared
        if shared.state is not None:
            self._local.adopt(shared.state, shared.generation, shared.wait_seconds(), isolated=shared.isolated)
        self.breaker.side = self._local


def teller(name: str, tell: Callable[..., None], *, shared: bool) -> Callable[[Change, int], None]:
    """Return a function that logs a change of state of the breaker `name`; `shared` says whether the fleet changed."""

    def hear(change: Change, generation: int) -> None:
        event = "breaker_isolated" if change.reason == "isolated" else _EVENTS[State(change.now)]
        tell(event, breaker=name, was=str(change.was), reason=change.reason, generation=generation, shared=shared)

    return hear
