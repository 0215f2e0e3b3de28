"""The bridge: from Kafka to the inbox and the Celery queue, and only then the offsets."""

import time
from collections.abc import Callable
from types import FrameType

import msgspec

from payments.envelope import Record
from payments.failures import KafkaAway, Transient
from payments.flows.intake import Intake
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.inbox import Inbox
from payments.log_events import Tell
from payments.resilience.poison import PoisonPolicy
from payments.streams.consumer import StreamConsumer
from workers.brake import Brake
from workers.poison_watch import PoisonWatch

_POLL_SECONDS = 0.5  # how long a quiet bridge waits in one poll
_RETRY_SECONDS = 1.0  # between two tries to reach PostgreSQL
_COUNT_SECONDS = 1.0  # between two counts of unfinished work
_DATABASE_AWAY = "database away"
_HIGH_WATER = "high-water mark"


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
        intake: Intake,
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
        self._brake = Brake(consumer, tell)
        self._watch = PoisonWatch(pauses, self._brake, policy.poison, policy.name, tell, clock)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the loop to end after the batch in hand. Usable as a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Carry until `stop`. Raises OffsetLost where records were deleted before they were read."""
        self._tell("bridge_started")
        try:
            while not self._stopping:
                self.turn()
        finally:
            self._consumer.close()
            self._tell("bridge_stopped")

    def turn(self) -> None:
        """Take one batch, or, while paused, keep the membership and look whether to go on."""
        self._heed_the_group()
        try:
            records = self._consumer.batch(self._watch.room(self._policy.batch_size), _POLL_SECONDS)
        except KafkaAway as away:
            self._tell("kafka_away", code=away.code, reason=away.message)
            return
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
            self._watch.look()
        except Transient as away:
            if self._watch.has_looked:
                self._tell("database_away", code=away.code)  # the next batch will meet it too, and wait
            else:
                self._wait_for_the_database(away)
        if self._watch.has_looked and not self._held:
            self._brake.take_off(_DATABASE_AWAY)

    def _carry(self) -> None:
        """Hand over what is held. While PostgreSQL is away it stays held, and Kafka is only polled."""
        if self._clock() < self._retry_at:
            return
        try:
            taken = self._intake.take(self._held)
        except Transient as away:
            self._retry_at = self._clock() + _RETRY_SECONDS
            self._wait_for_the_database(away)
            return
        self._consumer.commit(self._held)
        told = msgspec.structs.asdict(taken) | {"undecodable": len(taken.undecodable)}
        self._tell("bridge_batch_taken", records=len(self._held), **told)
        self._watch.taken(len(self._held), taken.undecodable)
        self._held = []
        self._brake.take_off(_DATABASE_AWAY)

    def _wait_for_the_database(self, away: Transient) -> None:
        self._brake.put_on(_DATABASE_AWAY)
        self._tell("database_away", code=away.code)

    def _watch_the_marks(self) -> None:
        """Pause above the high-water mark of unfinished work, go on below the low one."""
        if self._clock() < self._count_at or self._brake.is_on_for(_DATABASE_AWAY):
            return
        self._count_at = self._clock() + _COUNT_SECONDS
        try:
            unfinished = self._inbox.unfinished(self._policy.high_water_mark)
        except Transient:
            return  # the next batch will meet it too, and pause
        if unfinished >= self._policy.high_water_mark:
            self._brake.put_on(_HIGH_WATER)
        elif unfinished <= self._policy.low_water_mark:
            self._brake.take_off(_HIGH_WATER)
