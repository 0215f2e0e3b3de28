"""Everything that is known about the fleet at one moment, as one frozen value.

A part that could not be read is None, and `unread` says why. So nobody mistakes what is unknown for zero.
"""

from datetime import datetime

import msgspec

from payments.ledger.bridge_pauses import Pause
from payments.ledger.census import OutboxDepth
from payments.ledger.dead_letters.attention import Attention
from payments.ledger.dead_letters.statistics import Statistics
from payments.resilience.breaker_state import BreakerView
from workers.pulse.sign import Life, Seen

Counts = dict[str, dict[str, int]]
"""Numbers by provider and then by state."""


class LedgerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What is under way in the ledger. Ages are by PostgreSQL's clock."""

    inbox: Counts
    """Events that have not ended, by provider and state."""
    oldest_due_seconds: float
    """For how long the longest overdue event has been due; 0 if none is. One behind another is not due."""
    outbox: OutboxDepth
    slot_ages: dict[str, float]
    """Seconds since each tick of beat was last taken; a tick that was never taken is not there."""
    poison_pause: Pause | None
    """The pause of the bridges for poison that is open."""


class DeadLettersSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the dead letters are. Counted less often the more there are."""

    statistics: Statistics
    attention: Attention


class QueuesSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Messages on Celery's broker. They are wake-up calls: the work itself is in the inbox."""

    waiting: dict[str, int]
    """By queue."""
    unacknowledged: int
    """In the hands of workers, over all queues."""


class ResilienceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet shares in Redis."""

    breakers: tuple[BreakerView, ...]
    budgets_used: dict[str, float]
    """By provider: the share of the retry budget that is spent, 0 to 1."""
    limits_per_second: dict[str, float]
    """By provider: the rate limit; providers without one are not there."""
    limits_used: dict[str, float]
    """By provider: the share of the burst that is spent, 0 to 1."""


class KafkaSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What of the topic the bridges have not committed."""

    topic: str
    lag: dict[int, int]
    """Records by partition."""
    untaken_seconds: float = 0.0
    """For how long records have come, and the bridges have committed none; 0 if they take what comes."""


class FleetSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The processes that have given a sign within ten minutes and have not said that they end."""

    processes: tuple[Seen, ...]
    absent: dict[str, float] = msgspec.field(default_factory=dict)
    """Roles that no process has, and for how many seconds that has been so, as far as the monitor knows."""

    def of(self, role: str) -> tuple[Seen, ...]:
        """Return the processes of one role."""
        return tuple(each for each in self.processes if each.sign.role == role)

    def alive(self, role: str) -> tuple[Seen, ...]:
        """Return those of a role that make progress."""
        return tuple(each for each in self.of(role) if each.life is Life.ALIVE)


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """One look around."""

    taken_at: datetime
    took_seconds: float
    ledger: LedgerSeen | None
    ended: Counts | None
    """Events that have ended, dead ones too, by provider and state. Counted less often the more there are."""
    dead_letters: DeadLettersSeen | None
    queues: QueuesSeen | None
    resilience: ResilienceSeen | None
    kafka: KafkaSeen | None
    fleet: FleetSeen | None
    unread: dict[str, str] = msgspec.field(default_factory=dict)
    """Why each part that is None could not be read, by its name here."""

    @property
    def dependencies(self) -> dict[str, bool]:
        """Whether each server that we depend on answers the monitor."""
        return {name: getattr(self, part) is not None for name, part in DEPENDENCIES.items()}


DEPENDENCIES = {"postgresql": "ledger", "redis": "queues", "shared_state": "fleet", "kafka": "kafka"}
"""The part of a survey that tells whether a server answers. `shared_state` is the Redis of breakers and signs."""
