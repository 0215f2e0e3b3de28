"""How many retries the whole fleet may make, so that they never become the load that keeps a provider down.

Calls are first tries here: were retries counted among them, each would earn a part of the next one. The promise is
about every window that ends with a retry: it holds no more retries than `share` of the first tries made in it, and
`floor_per_second` times its length. The rule itself stands in `lua/retry_budget.lua`.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from random import random
from threading import Lock
from typing import Any

import msgspec

from payments.failures import BudgetSpent
from payments.resilience.exchange import Exchange, Request
from payments.resilience.policy import BudgetPolicy

BUCKETS = 20
"""Of a window. The more, the less of the budget is left unused for the bucket that the old end of the window cuts."""

_RING = BUCKETS + 1
_MICROSECONDS = 1_000_000
_ALLOWED = 1
_FURTHEST_US = 60 * _MICROSECONDS


class Budget(msgspec.Struct, frozen=True):
    """A policy as a window sees it. `floor` is what a window may hold without any call."""

    width_us: int
    share: float
    floor: float

    @classmethod
    def of(cls, policy: BudgetPolicy) -> "Budget":
        """Return the budget of `policy`."""
        width_us = math.ceil(policy.window_seconds * _MICROSECONDS / BUCKETS)
        return cls(width_us, policy.share, policy.floor_per_second * policy.window_seconds)


class Window:
    """What one process has done, by the rule of `lua/retry_budget.lua`. Times are µs of any clock that only goes on."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._buckets = [[0, 0, 0] for _ in range(_RING)]
        self._lock = Lock()

    def call(self, now_us: int) -> None:
        """Count a call that is no retry."""
        with self._lock:
            self._bucket(now_us // self._budget.width_us)[1] += 1

    def retry(self, now_us: int) -> None:
        """Count a retry that the fleet has allowed."""
        with self._lock:
            self._bucket(now_us // self._budget.width_us)[2] += 1

    def spend(self, now_us: int) -> bool:
        """Count a retry and return True, where it stays within the share of the calls."""
        current = now_us // self._budget.width_us
        with self._lock:
            recent = [bucket for bucket in self._buckets if bucket[0] > current - _RING]
            calls = sum(calls for number, calls, _ in recent if number > current - BUCKETS)
            retries = sum(retries for _, _, retries in recent)
            if retries + 1 > self._budget.share * calls + self._budget.floor:
                return False
            self._bucket(current)[2] += 1
        return True

    def _bucket(self, number: int) -> list[int]:
        """Return number, calls and retries of the bucket, begun anew where it is from an earlier round."""
        bucket = self._buckets[number % _RING]
        if bucket[0] != number:
            bucket[:] = number, 0, 0
        return bucket


class Untold(msgspec.Struct):
    """First tries that the fleet has not been told of, and when the earliest was made, by this process' clock."""

    since: float
    calls: int = 0


class RetryBudgets:
    """The budgets of all providers, each counted for itself. Joins the exchange by itself.

    A provider without a policy of its own goes by that of the name "default". While Redis is away each process has a
    budget of the same shape, filled by its own calls: the share then holds for the fleet, the floor for each process.
    Neither calls nor retries of that time are told afterwards, so the first window after it may hold the floor twice.
    """

    def __init__(
        self,
        exchange: Exchange,
        policies: Mapping[str, BudgetPolicy],
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random,
    ) -> None:
        self._exchange = exchange
        self._budgets = {name: Budget.of(policy) for name, policy in policies.items()}
        self._default = self._budgets.get(_DEFAULT) or Budget.of(BudgetPolicy())
        self._clock = clock
        self._chance = chance
        self._windows: dict[str, Window] = {}
        self._untold: dict[str, Untold] = {}
        exchange.join(self)

    def count(self, name: str) -> None:
        """Count a call of the provider `name` that is no retry. The fleet is told in the next exchange."""
        now = self._clock()
        self._window(name).call(_us(now))
        untold = self._untold.get(name) or self._untold.setdefault(name, Untold(now))
        untold.calls += 1

    def spend(self, name: str) -> None:
        """Ask for leave to make one retry, and count it.

        Raises BudgetSpent with its turn: those refused come back one after the other, as fast as the budget allows, and
        not before 1 to 3 s. Those whose turn would be over a minute away come in 30 to 60 s, by chance.
        """
        now_us = _us(self._clock())
        answer = self._exchange.ask(self._spending(name))
        if answer == _ALLOWED:
            self._window(name).retry(now_us)
        elif answer is not None or not self._window(name).spend(now_us):
            raise BudgetSpent(
                "the fleet has retried enough",
                retry_after_seconds=self._turn_seconds(-(answer or 0)),
                service=name,
            )

    def used(self, name: str) -> float | None:
        """Return which share of its retries the fleet has spent, 0 to 1; None while Redis is away. Counts nothing."""
        budget = self._budget(name)
        told = self._exchange.ask(Request("retry_budget_show", (_key(name),), (budget.width_us, _RING)))
        if told is None:
            return None
        calls, retries = told
        allowed = budget.share * calls + budget.floor
        return min(1.0, retries / allowed) if allowed else float(retries > 0)

    def requests(self) -> Sequence[Request]:
        """Tell the calls that were made since the last time. They are told once: lost is better than counted twice."""
        untold, self._untold = self._untold, {}
        now = self._clock()
        return [self._counting(name, told, now) for name, told in untold.items()]

    def learn(self, answers: Sequence[Any]) -> None:
        """Nothing: the fleet's count stays in Redis."""

    def alone(self) -> None:
        """Nothing: the process has counted its own calls all along."""

    def _turn_seconds(self, turn_us: int) -> float:
        if turn_us >= _FURTHEST_US:
            return _FURTHEST_US / _MICROSECONDS * (1 + self._chance()) / 2
        return max(1 + 2 * self._chance(), turn_us / _MICROSECONDS)

    def _spending(self, name: str) -> Request:
        budget = self._budget(name)
        keys = (_key(name), f"{_key(name)}:line")
        return Request("retry_budget", keys, (budget.width_us, _RING, budget.share, budget.floor, _FURTHEST_US))

    def _counting(self, name: str, told: Untold, now: float) -> Request:
        arguments = (self._budget(name).width_us, _RING, told.calls, math.ceil((now - told.since) * _MICROSECONDS))
        return Request("retry_budget_count", (_key(name),), arguments)

    def _budget(self, name: str) -> Budget:
        return self._budgets.get(name, self._default)

    def _window(self, name: str) -> Window:
        return self._windows.get(name) or self._windows.setdefault(name, Window(self._budget(name)))


_DEFAULT = "default"


def _key(name: str) -> str:
    return f"payferry:budget:{name}"


def _us(seconds: float) -> int:
    return int(seconds * _MICROSECONDS)
