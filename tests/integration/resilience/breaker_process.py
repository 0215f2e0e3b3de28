"""One process of a fleet, as a test sees it: it does what it is told by lines of JSON, and answers each with another.

Run as `python -m tests.integration.resilience.breaker_process`.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from payments.failures import CircuitOpen
from payments.resilience.breaker import Breaker
from payments.resilience.breaker_state import Permit
from payments.resilience.exchange import Exchange, connect
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard


class Process:
    """A breaker, the permits that were not given back, and what was logged."""

    breaker: Breaker

    def __init__(self) -> None:
        self.held: list[Permit] = []
        self.told: list[str] = []

    def connect(self, url: str, policy: dict[str, Any]) -> None:
        """Begin anew, with nothing held."""
        self.__init__()  # type: ignore[misc]  # all of it
        exchange = Exchange(connect(url), lambda name, **_: self.told.append(name))
        rules = msgspec.convert(policy, BreakerPolicy)
        self.breaker = Switchboard(exchange, {"default": rules}, exchange._tell).breaker("stripe")  # noqa: SLF001

    def calls(self, until: float, pause: float, failing: bool) -> dict[str, Any]:  # noqa: FBT001 - told by name
        """Call until the time `until`, the first and every other call failing or none; stop at a refusal, tell when."""
        let_through = 0
        for number in count():
            if time.time() >= until:
                break
            try:
                permit = self.breaker.before()
            except CircuitOpen:
                return {"let_through": let_through, "refused_at": time.time()}
            outcome = Outcome.FAILURE if failing and number % 2 == 0 else Outcome.SUCCESS
            self.breaker.after(permit, outcome, 0.01)
            let_through += 1
            time.sleep(pause)
        return {"let_through": let_through, "refused_at": None}

    def take(self, until: float) -> int:
        """Keep asking until the time `until`, hold every permit, and tell how many are held."""
        while time.time() < until:
            self.take_one()
            time.sleep(0.01)
        return len(self.held)

    def take_one(self) -> bool:
        """Hold one more permit, if one is given."""
        try:
            self.held.append(self.breaker.before())
        except CircuitOpen:
            return False
        return True

    def give(self, outcome: str) -> None:
        """Report on the permit held longest."""
        self.breaker.after(self.held.pop(0), Outcome(outcome), 0.01)

    def logged(self) -> list[str]:
        """Tell the names of all that was logged."""
        return self.told


def main() -> None:
    process = Process()
    for line in sys.stdin:
        verb, words = json.loads(line)
        do: Callable[..., Any] = getattr(process, verb)
        print(json.dumps(do(**words)), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
