"""The bridge: from Kafka to the inbox and the Celery queue, and only then the offsets."""

import time
from collections.abc import Callable
from types import FrameType

import msgspec

from payments.envelope import Record
from payments.failures import KafkaAway, Transient
from payments.flows.intake import Intake
from payments.ledger.inbox import Inbox
from payments.log_events import Tell
from payments.streams.consumer import StreamConsumer

_POLL_SECONDS = 0.5  # how long a quiet bridge waits in one poll
_RETRY_SECONDS = 1.0  # between two tries to reach PostgreSQL
_COUNT_SECONDS = 1.0  # between two counts of unfinished work


class BridgePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once, and when to stop taking more."""

    batch_size: int
    high_water_mark: int
    low_water_mark: int


class Bridge:
    """One member of the consumer group. One thread: nothing is in flight while librdkafka moves partitions."""

    def __init__(
        self,
        consumer: StreamConsumer,
        intake: Intake,
        inbox: Inbox,
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
        self._paused_for: str | None = None

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
        try:
            records = self._consumer.batch(self._policy.batch_size, _POLL_SECONDS)
        except KafkaAway as away:
            self._tell("kafka_away", code=away.code, reason=away.message)
            return
        if records:
            self._held += records
        if self._held:
            self._carry()
        self._watch_the_marks()

    def _carry(self) -> None:
        """Hand over what is held. While PostgreSQL is away it stays held, and Kafka is only polled."""
        if self._clock() < self._retry_at:
            return
        try:
            taken = self._intake.take(self._held)
        except Transient as away:
            self._retry_at = self._clock() + _RETRY_SECONDS
            self._pause("database away")
            self._tell("database_away", code=away.code)
            return
        self._consumer.commit(self._held)
        self._tell("bridge_batch_taken", records=len(self._held), **msgspec.structs.asdict(taken))
        self._held = []
        if self._paused_for == "database away":
            self._go_on()

    def _watch_the_marks(self) -> None:
        """Pause above the high-water mark of unfinished work, go on below the low one."""
        if self._clock() < self._count_at or self._paused_for == "database away":
            return
        self._count_at = self._clock() + _COUNT_SECONDS
        try:
            unfinished = self._inbox.unfinished(self._policy.high_water_mark)
        except Transient:
            return  # the next batch will meet it too, and pause
        if self._paused_for is None and unfinished >= self._policy.high_water_mark:
            self._pause("high-water mark")
        elif self._paused_for == "high-water mark" and unfinished <= self._policy.low_water_mark:
            self._go_on()

    def _pause(self, reason: str) -> None:
        if self._paused_for is None:
            self._consumer.pause()
            self._tell("bridge_paused", reason=reason)
        self._paused_for = reason

    def _go_on(self) -> None:
        self._consumer.resume()
        self._paused_for = None
        self._tell("bridge_resumed")
