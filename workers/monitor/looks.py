"""How each part of a survey is read. Every look may raise what its server's client raises."""

import time
from collections.abc import Callable, Collection

from payments.event import Provider
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.census import Census
from payments.ledger.dead_letters.attention import DeadLetterAttention
from payments.ledger.dead_letters.statistics import DeadLetterStatistics
from payments.policies import Policies
from payments.resilience.exchange import Exchange
from payments.resilience.rate_limit import RateLimits
from payments.resilience.retry_budget import RetryBudgets
from payments.resilience.switchboard import Switchboard
from payments.streams.reader import TopicReader
from workers.monitor.lag import Untaken, lag_of, read_positions
from workers.monitor.part import Trusted, Unread
from workers.monitor.survey import DeadLettersSeen, FleetSeen, KafkaSeen, LedgerSeen, ResilienceSeen
from workers.pulse.book import PulseBook

_SETTLING_SECONDS = 5.0
"""After Redis was away all signs are old. Within this time whoever is alive has given a new one."""


class LedgerLook:
    """Quick questions to the ledger."""

    def __init__(self, census: Census, pauses: BridgePauses) -> None:
        self._census = census
        self._outbox = Trusted(census.outbox)
        self._pauses = pauses

    def __call__(self) -> LedgerSeen:
        """Return what is under way. Raises DatabaseAway."""
        return LedgerSeen(
            inbox=self._census.unfinished(),
            oldest_due_seconds=self._census.oldest_due_seconds(),
            outbox=self._outbox(),
            slot_ages=self._census.slot_ages(),
            poison_pause=self._pauses.current(),
        )


class DeadLetterLook:
    """Counting the dead letters."""

    def __init__(self, statistics: DeadLetterStatistics, attention: DeadLetterAttention) -> None:
        self._statistics = statistics
        self._attention = attention

    def __call__(self) -> DeadLettersSeen:
        """Return the numbers. Raises DatabaseAway."""
        return DeadLettersSeen(statistics=self._statistics.read(), attention=self._attention.read())


class ResilienceLook:
    """What the fleet shares: breakers, budgets, limits. It takes nothing and counts nothing."""

    def __init__(self, exchange: Exchange, policies: Policies, tell: Callable[..., None]) -> None:
        self._exchange = exchange
        self._switchboard = Switchboard(exchange, policies.breakers, tell)
        self._budgets = RetryBudgets(exchange, policies.retry_budgets)
        self._limits = RateLimits(exchange, policies.rate_limits)
        self._rates = {
            name: limit.calls_per_second for name, limit in policies.rate_limits.items() if limit.calls_per_second > 0
        }

    def __call__(self) -> ResilienceSeen:
        """Return it. Raises QueueAway, Unread."""
        self._exchange.at_once()  # notices that Redis is back
        return ResilienceSeen(
            breakers=tuple(self._switchboard.shown()),
            budgets_used={str(name): _told(self._budgets.used(name)) for name in Provider},
            limits_per_second=dict(self._rates),
            limits_used={name: _told(self._limits.used(name)) for name in self._rates},
        )


class KafkaLook:
    """What the bridges have not committed, through one client that lives as long as the monitor."""

    def __init__(self, reader: TopicReader, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._topic = topic
        self._clock = clock
        self._untaken = Untaken()

    def __call__(self) -> KafkaSeen:
        """Return it. Raises KafkaAway."""
        positions = read_positions(self._reader)
        untaken_seconds = self._untaken.note(positions, self._clock())
        return KafkaSeen(topic=self._topic, lag=lag_of(positions), untaken_seconds=untaken_seconds)


class FleetLook:
    """The signs of all processes, and since when a role has none."""

    def __init__(
        self, book: PulseBook | None, roles: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._book = book
        self._roles = frozenset(roles)
        self._clock = clock
        self._settles_at = float("-inf")
        self._there_at: dict[str, float] = {}

    def __call__(self) -> FleetSeen:
        """Return it. Raises RedisError, Unread."""
        if self._book is None:
            raise Unread("PAYFERRY_STATE_REDIS_URL must be set, for this broker tells no place for signs of life")
        try:
            processes = self._book.read()
        except Exception:
            self._settles_at = self._clock() + _SETTLING_SECONDS
            self._there_at.clear()
            raise
        now = self._clock()
        if now < self._settles_at:
            raise Unread("Redis is only just back, and processes have yet to give a sign")
        return FleetSeen(processes=processes, absent=self._absent({each.sign.role for each in processes}, now))

    def _absent(self, there: set[str], now: float) -> dict[str, float]:
        """Return the roles without a process, and since when: one that was never seen, since this was first asked."""
        for role in self._roles:
            if role in there or role not in self._there_at:
                self._there_at[role] = now
        return {role: now - self._there_at[role] for role in sorted(self._roles - there)}


def _told(share: float | None) -> float:
    if share is None:
        raise Unread("Redis does not answer")
    return share
