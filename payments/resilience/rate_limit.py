"""How many calls a provider gets from the whole fleet: a token bucket in Redis, on Redis' clock.

Each call takes its token in a round trip of its own (0.1 to 0.2 ms, beside tens of them for the call). Tokens taken in
advance by each process would save that, and would lie unused in one process while another has none, or be used later
than they were counted and pass the limit; so there are none. The rule itself stands in `lua/rate_limit.lua`.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from random import random
from threading import Lock
from typing import Any

import msgspec

from payments.failures import RateExceeded
from payments.resilience.exchange import Exchange, Request
from payments.resilience.policy import RatePolicy

LONGEST_WAIT_SECONDS = 600.0
"""Turns further away are not kept apart. `lua/rate_limit.lua` has the same number."""

LONGEST_PAUSE_SECONDS = 3600.0

_MICROSECONDS = 1_000_000
_LATE_US = 1_000_000
_FURTHEST_US = int(LONGEST_WAIT_SECONDS * _MICROSECONDS)


class Limit(msgspec.Struct, frozen=True):
    """A policy as a bucket sees it: `slot_us` is the time that one token stands for, `burst` how many it holds."""

    slot_us: int
    burst: int

    @classmethod
    def of(cls, policy: RatePolicy, share: float = 1.0) -> "Limit":
        """Return `share` of what `policy` allows; at least one token. Rounded so that it is never more per second."""
        slot_us = math.ceil(_MICROSECONDS / (policy.calls_per_second * share))
        return cls(slot_us, max(1, math.floor(policy.burst * share)))

    @property
    def full_us(self) -> int:
        """In how long an empty bucket fills."""
        return self.slot_us * self.burst


class Bucket:
    """One process' own bucket, by the rule of `lua/rate_limit.lua`, for as long as Redis is away. Times are µs."""

    def __init__(self, limit: Limit, spent_us: int) -> None:
        self._limit = limit
        self._spent = spent_us
        self._tail = 0
        self._lock = Lock()

    def take(self, now_us: int) -> int:
        """Take a token and return 0, or return the µs until the caller's turn."""
        limit = self._limit
        with self._lock:
            if now_us - (self._spent + limit.full_us) > limit.slot_us + _LATE_US:
                self._tail = 0
            self._spent = max(self._spent, now_us - limit.full_us)
            if self._spent + limit.slot_us <= now_us:
                self._spent += limit.slot_us
                return 0
            self._tail = min(max(self._tail, self._spent) + limit.slot_us, now_us + _FURTHEST_US)
            return self._tail - now_us

    def pause(self, until_us: int) -> None:
        """Give no token until then; from then on it fills."""
        with self._lock:
            self._spent = max(self._spent, until_us)


class RateLimits:
    """The limits of all providers, and the pauses that they ask for. Joins the exchange by itself.

    While Redis is away each process has a bucket of its own with `alone_share` of the limit. On its return the shared
    bucket may have filled, so one burst more than the limit can pass then.
    """

    def __init__(
        self,
        exchange: Exchange,
        policies: Mapping[str, RatePolicy],
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random,
    ) -> None:
        limited = {name: policy for name, policy in policies.items() if policy.calls_per_second > 0}
        self._exchange = exchange
        self._clock = clock
        self._chance = chance
        self._limits = {name: Limit.of(policy) for name, policy in limited.items()}
        self._limits_alone = {name: Limit.of(policy, policy.alone_share) for name, policy in limited.items()}
        self._buckets: dict[str, Bucket] = {}
        self._heard: dict[str, float] = {}
        self._paused = dict.fromkeys(policies.keys() - limited.keys(), 0.0)
        self._untold: set[str] = set()
        self._asked: list[str] = []
        self._telling: list[str] = []
        exchange.join(self)

    def take(self, name: str) -> None:
        """Take a token for one call of the provider `name`; where it has no limit, only see that it asked for no pause.

        Raises RateExceeded with the caller's turn: those refused are told to come back one by one, at the rate of the
        limit. A turn keeps no token, so at its turn a caller takes one as everyone does.
        """
        if name in self._limits:
            wait_us = self._take(name)
            if wait_us:
                raise self._exceeded(name, self._turn_seconds(wait_us))
        elif self._paused.setdefault(name, 0.0):
            self._see_pause(name)

    def pause(self, name: str, seconds: float) -> None:
        """Let nobody in the fleet take a token for `seconds`, an hour at most: the provider asked for it.

        Where there is a limit all keep to it from this moment, otherwise from their next exchange. While Redis is away
        only this process does; the others are told on its return.
        """
        until = self._clock() + min(seconds, LONGEST_PAUSE_SECONDS)
        self._paused[name] = max(self._paused.get(name, 0.0), until)
        if self._exchange.ask(self._pausing(name)) is None:
            self._untold.add(name)

    def used(self, name: str) -> float | None:
        """Return which share of the burst the fleet has spent, 0 to 1; None while Redis is away. Takes nothing.

        `name` must have a limit.
        """
        full_us = self._limits[name].full_us
        spent_us = self._exchange.ask(Request("rate_limit_show", (_key(name),), (full_us,)))
        return None if spent_us is None else spent_us / full_us

    def requests(self) -> Sequence[Request]:
        """Ask for the pauses of those for whose tokens nobody asks, and tell what could not be told at once."""
        now = self._clock()
        self._asked = [name for name in list(self._paused) if name not in self._limits]
        self._telling = [name for name in list(self._untold) if self._paused[name] > now]
        asking = [Request("rate_limit_pauses", tuple(map(_key, self._asked)), ())] if self._asked else []
        return [*asking, *map(self._pausing, self._telling)]

    def learn(self, answers: Sequence[Any]) -> None:
        """Take the pauses that still last."""
        now = self._clock()
        self._untold.difference_update(self._telling)
        for name, left_us in zip(self._asked, answers[0] if self._asked else (), strict=True):
            if left_us:
                self._paused[name] = max(self._paused[name], now + left_us / _MICROSECONDS)

    def alone(self) -> None:
        """Take tokens from buckets of our own, and tell Redis on its return of the pauses: it may have lost them."""
        self._untold.update(list(self._paused))

    def _take(self, name: str) -> int:
        limit, heard = self._limits[name], self._heard.get(name)
        heard_us = -1 if heard is None else _us(self._clock() - heard)
        wait_us = self._exchange.ask(Request("rate_limit", (_key(name),), (limit.slot_us, limit.burst, heard_us)))
        if wait_us is None:
            return self._take_alone(name)
        self._heard[name] = self._clock()
        self._buckets.pop(name, None)
        return int(wait_us)

    def _take_alone(self, name: str) -> int:
        now_us = _us(self._clock())
        bucket = self._buckets.get(name) or self._buckets.setdefault(name, self._own_bucket(name, now_us))
        bucket.pause(_us(self._paused.get(name, 0.0)))
        return bucket.take(now_us)

    def _own_bucket(self, name: str, now_us: int) -> Bucket:
        """Return a bucket with what came in since the fleet's was heard of: going alone gives no second burst."""
        limit = self._limits_alone[name]
        heard = self._heard.get(name)
        return Bucket(limit, now_us - limit.full_us if heard is None else _us(heard))

    def _pausing(self, name: str) -> Request:
        left_us = max(0, _us(self._paused[name] - self._clock()))
        full_us = self._limits[name].full_us if name in self._limits else 0
        return Request("rate_limit_pause", (_key(name),), (left_us, full_us))

    def _see_pause(self, name: str) -> None:
        left = self._paused[name] - self._clock()
        if left > 0:
            raise self._exceeded(name, left * (1 + self._chance() / 2))  # there is no rate to space them by
        self._paused[name] = 0.0

    def _turn_seconds(self, wait_us: int) -> float:
        """Return the wait; the many whose turns are too far away to be told come back within a time, not at one."""
        if wait_us < _FURTHEST_US:
            return wait_us / _MICROSECONDS
        return LONGEST_WAIT_SECONDS * (1 - self._chance() / 2)

    @staticmethod
    def _exceeded(name: str, seconds: float) -> RateExceeded:
        return RateExceeded("as many calls were made as are allowed", retry_after_seconds=seconds, service=name)


def _key(name: str) -> str:
    return f"payferry:rate:{name}"


def _us(seconds: float) -> int:
    return int(seconds * _MICROSECONDS)
