"""What a closed breaker costs: the time of `before` and `after` of one call, and round trips to Redis.

    python -m benchmarks.breaker_cost

prints the median of the time in microseconds, and how many round trips one process makes a second at full speed, with
four breakers in use. Round trips are counted where they are sent, handshakes and script loading included.
"""

import json
import statistics
import time
from itertools import cycle
from typing import Any

import redis

from payments.resilience.breaker import Breaker
from payments.resilience.exchange import Exchange, connect
from payments.resilience.outcome import Outcome
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from workers.embedded.valkey import Valkey

_SECONDS = 5.0
_PROVIDERS = ("stripe", "razorpay", "paypal", "canonical")


class CountingConnection(redis.Connection):
    """A connection that counts what is sent in one piece."""

    sent = 0

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002
        """Send, and count it."""
        CountingConnection.sent += 1
        super().send_packed_command(command, check_health)


def main() -> None:
    """Measure on a Valkey of our own and print what was found."""
    with Valkey() as server, connect(server.url) as client:
        client.connection_pool.connection_class = CountingConnection
        exchange = Exchange(client, _say_nothing)
        board = Switchboard(exchange, {"default": BreakerPolicy()}, _say_nothing)
        nanoseconds = _measure([board.breaker(name) for name in _PROVIDERS])
    told = {
        "microseconds": statistics.median(nanoseconds) / 1000,
        "round_trips_a_second": CountingConnection.sent / _SECONDS,
        "calls": len(nanoseconds),
    }
    print(json.dumps(told))


def _measure(breakers: list[Breaker]) -> list[int]:
    """Return how long each call's `before` and `after` took, of as many calls as there is time for."""
    taken = []
    deadline = time.perf_counter() + _SECONDS
    for breaker in cycle(breakers):
        begun = time.perf_counter_ns()
        breaker.after(breaker.before(), Outcome.SUCCESS, 0.05)
        taken.append(time.perf_counter_ns() - begun)
        if time.perf_counter() > deadline:
            return taken
    raise AssertionError("there is at least one breaker")


def _say_nothing(_name: str, **_fields: object) -> None:
    """Log nothing."""


if __name__ == "__main__":
    main()
