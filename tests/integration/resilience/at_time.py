"""An exchange with the real scripts and a time that stands still until the test moves it."""

from collections.abc import Sequence
from typing import Any

import redis
from hypothesis import HealthCheck, settings

from payments.resilience.exchange import Exchange, Part, Request

DAY_US = 86_400_000_000


class AtTime(Exchange):
    """Tells every script the time, as its last argument."""

    now_us = DAY_US

    def clock(self) -> float:
        return self.now_us / 1e6

    def join(self, part: Part) -> None:
        super().join(_Timed(part, self))

    def ask(self, request: Request) -> Any | None:  # noqa: ANN401 - whatever the script answers
        return super().ask(self.timed(request))

    def timed(self, request: Request) -> Request:
        return Request(request.script, request.keys, (*request.arguments, self.now_us))


class _Timed:
    def __init__(self, part: Part, exchange: AtTime) -> None:
        self._part, self._exchange = part, exchange
        self.learn, self.alone = part.learn, part.alone

    def requests(self) -> Sequence[Request]:
        return [self._exchange.timed(request) for request in self._part.requests()]


on_one_server = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def say_nothing(*_: object, **__: object) -> None:
    pass


def patient(url: str) -> redis.Redis:
    """A client that does not give up on a busy machine: a process that goes on alone is another test's matter."""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=20.0)
