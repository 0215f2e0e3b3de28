"""The bridge: from Kafka to the inbox and the Celery queue, and only then the offsets."""

import time
from collections.abc import Callable, Sequence
from types import FrameType

import msgspec

from payments.envelope import Record
from payments.failures import KafkaAway, Transient
from payments.flows.intake import Entrance
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.inbox import Inbox
from payments.log_events import Tell
from payments.resilience.poison import PoisonPolicy
from payments.streams.consumer import StreamConsumer
from workers.brake import Brake
from workers.poison_watch import POISON, PoisonWatch
from workers.pulse.pulse import DATABASE_AWAY, KAFKA_AWAY, Notes
from workers.pulse.waiting import Waiting

_POLL_SECONDS = 0.5  # how long a quiet bridge waits in one poll
_RETRY_SECONDS = 1.0  # between two tries to reach PostgreSQL
_COUNT_SECONDS = 1.0  # between two counts of unfinished work
_HIGH_WATER = "high-water mark"


def _nothing() -> None: ...


class BridgePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once, and when to stop taking more. `name` signs what a bridge does in the name of its group."""

    batch_size: int
    high_water_mark: int
    low_water_mark: int
    poison: PoisonPolicy = PoisonPolicy()
    name: str = "bridge"


class Bridge:
    """One member of the consumer group. One thread: nothing is in flight while librdkafka moves partitions."""

    def __init__(
        self,
        consumer: StreamConsumer,
        intake: Entrance,
        inbox: Inbox,
        pauses: BridgePauses,
        policy: BridgePolicy,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._intake = intake
        self._inbox = inbox
        self._policy = policy
        self._tell = tell
        self._clock = clock
        self._stopping = False
        self._held: list[Record] = []
        self._retry_at = 0.0
        self._count_at = 0.0
        self._away: frozenset[str] = frozenset()
        self._waiting = Waiting(clock)
        self._brake = Brake(consumer, tell)
        self._watch = PoisonWatch(pauses, self._brake, policy.poison, policy.name, tell, clock)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after the batch in hand. Usable as a signal handler."""
        self._stopping = True

    def run(self, turned: Callable[[], object] = _nothing) -> None:
        """Carry until `stop`; `turned` is called after each turn.

        Raises OffsetLost where records were deleted before they were read.
        """
        self._tell("bridge_started", reasons=(DATABASE_AWAY, _HIGH_WATER, POISON))
        try:
            while not self._stopping:
                self.turn()
                turned()
        finally:
            self._consumer.close()
            self._tell("bridge_stopped")

    def report(self) -> Notes:
        """Return what is in its way. May be asked from any thread."""
        numbers = {"partitions": self._consumer.partitions, "paused": int(self._brake.is_pressed)}
        waits_for = self._waiting.troubles
        return Notes(troubles=self._brake.reasons | self._away | waits_for, numbers=numbers, is_excused=bool(waits_for))

    def turn(self) -> None:
        """Take one batch, or, while paused, keep the membership and look whether to go on."""
        self._heed_the_group()
        try:
            with self._waiting.on(KAFKA_AWAY):
                records = self._consumer.batch(self._watch.room(self._policy.batch_size), _POLL_SECONDS)
        except KafkaAway as away:
            self._tell("kafka_away", code=away.code, reason=away.message)
            self._note(KAFKA_AWAY)
            return
        self._note_well(KAFKA_AWAY)
        if records:
            self._held += records
        if self._held:
            self._carry()
        else:
            self._watch.nothing_came()
        self._watch_the_marks()

    def _heed_the_group(self) -> None:
        """Do as the ledger says for all bridges of the group, and take nothing before it was heard once."""
        try:
            with self._waiting.on(DATABASE_AWAY):
                has_looked = self._watch.look()
            if has_looked:
                self._note_well(DATABASE_AWAY)
        except Transient as away:
            self._note(DATABASE_AWAY)
            if self._watch.has_looked:
                self._tell("database_away", code=away.code)  # the next batch will meet it too, and wait
            else:
                self._wait_for_the_database(away)
        if self._watch.has_looked and not self._held:
            self._brake.take_off(DATABASE_AWAY)

    def _carry(self) -> None:
        """Hand over what is held. While PostgreSQL is away it stays held, and Kafka is only polled."""
        if self._clock() < self._retry_at:
            return
        try:
            with self._waiting.on(DATABASE_AWAY):
                taken = self._intake.take(self._held)
        except Transient as away:
            self._note(DATABASE_AWAY)
            self._retry_at = self._clock() + _RETRY_SECONDS
            self._wait_for_the_database(away)
            return
        with self._waiting.on(KAFKA_AWAY):
            self._consumer.commit(self._held)
        told = msgspec.structs.asdict(taken) | {"undecodable": len(taken.undecodable)}
        self._tell("bridge_batch_taken", records=len(self._held), oldest_seconds=_oldest_seconds(self._held), **told)
        self._watch.taken(len(self._held), taken.undecodable)
        self._held = []
        self._brake.take_off(DATABASE_AWAY)

    def _note(self, trouble: str) -> None:
        self._away |= {trouble}

    def _note_well(self, trouble: str) -> None:
        self._away -= {trouble}

    def _wait_for_the_database(self, away: Transient) -> None:
        self._brake.put_on(DATABASE_AWAY)
        self._tell("database_away", code=away.code)

    def _watch_the_marks(self) -> None:
        """Pause above the high-water mark of unfinished work, go on below the low one."""
        if self._clock() < self._count_at or self._brake.is_on_for(DATABASE_AWAY):
            return
        self._count_at = self._clock() + _COUNT_SECONDS
        try:
            with self._waiting.on(DATABASE_AWAY):
                unfinished = self._inbox.unfinished(self._policy.high_water_mark)
        except Transient:
            return  # the next batch will meet it too, and pause
        if unfinished >= self._policy.high_water_mark:
            self._brake.put_on(_HIGH_WATER)
        elif unfinished <= self._policy.low_water_mark:
            self._brake.take_off(_HIGH_WATER)


def _oldest_seconds(records: Sequence[Record]) -> float | None:
    """Return how long ago the oldest of the records was produced; None where Kafka does not know of any."""
    times = [record.timestamp_ms for record in records if record.timestamp_ms is not None]
    return max(0.0, round(time.time() - min(times) / 1000, 3)) if times else None
