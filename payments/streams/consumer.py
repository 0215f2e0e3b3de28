"""Reading records in batches, and committing what has been taken care of."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from payments.borders.kafka import failure_of_consuming
from payments.envelope import Record
from payments.failures import OffsetLost
from payments.streams.kafka import KafkaAccess

_TELL_AGAIN_SECONDS = 10.0
_ASK_SECONDS = 5.0  # below the session timeout, so that asking costs nobody the membership


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer reads, and from where."""

    topic: str
    group_id: str
    group_instance_id: str | None
    session_timeout_ms: int
    on_new_group: str
    on_lost_offset: str


class StreamConsumer:
    """One member of the group. `on_revoked` is called with nothing in flight, before partitions are given away."""

    def __init__(self, access: KafkaAccess, position: Position, tell: Callable[..., None]) -> None:
        self._position = position
        self._tell = tell
        self._paused = False
        self._owned: set[int] = set()
        self._unplaced: list[TopicPartition] = []
        self._uncommitted: dict[int, int] = {}
        self._failure: Exception | None = None
        self._clock = time.monotonic
        self._told_at: dict[str, float] = {}
        self._consumer = Consumer(access.options() | _options(position) | {"error_cb": self._on_error})
        self._consumer.subscribe(
            [position.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def batch(self, most: int, timeout_seconds: float) -> list[Record]:
        """Return up to `most` records: waits for one, then takes what is already here, so a lone one does not wait.

        Raises OffsetLost, KafkaAway, and then nothing that was read is dropped: what came with a failure is returned
        first. While paused it returns nothing, and still keeps the membership.
        """
        self._raise_failure()
        self._place()
        self._commit()
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return []
        return self._sound([first, *self._consumer.consume(most - 1, 0)] if most > 1 else [first])

    def commit(self, records: Sequence[Record]) -> None:
        """Commit the offsets after `records` and wait for the answer; what went to another bridge is its to commit.

        A commit that the group refuses, as it does while it moves partitions, is told and tried again at the next poll.
        """
        for record in records:
            if record.partition in self._owned:
                self._uncommitted[record.partition] = record.offset + 1
        self._commit()

    @property
    def partitions(self) -> int:
        """How many partitions are ours. May be asked from any thread."""
        return len(self._owned)

    def pause(self) -> None:
        """Take nothing more until `resume`, for all partitions, those assigned later too."""
        self._paused = True
        self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._consumer.resume(self._consumer.assignment())

    def close(self) -> None:
        """Leave the group."""
        self._commit()
        self._consumer.close()

    def _commit(self) -> None:
        """Commit what is taken care of and not yet committed."""
        offsets = [TopicPartition(self._position.topic, *place) for place in self._uncommitted.items()]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self._tell("bridge_commit_refused", error=error.args[0].name())
        else:
            self._uncommitted.clear()

    def _sound(self, messages: Sequence[Message]) -> list[Record]:
        for message in messages:
            if error := message.error():
                self._note(error)
        return [record_of(message) for message in messages if message.error() is None]

    def _note(self, error: KafkaError) -> None:
        """Keep the failure for the next call: the consumer stands behind the records that came with it."""
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - librdkafka's public code, so spelled
            self._failure = self._offset_lost(str(error.str()))
        elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            self._tell("bridge_topic_missing", topic=self._position.topic)
        elif error.fatal() or not error.retriable():
            self._failure = failure_of_consuming(error, "consume")

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([])  # without a call of ours the client starts them where it thinks best
        self._unplaced += partitions
        self._place()

    def _place(self) -> None:
        """Start each new partition where the group left it; where it never was, as the settings say.

        Those that the brokers cannot tell of now are asked for again at the next poll, and not read until then.
        """
        if not self._unplaced:
            return
        placed: list[TopicPartition] = []
        try:
            for committed in self._consumer.committed(self._unplaced, timeout=_ASK_SECONDS):
                placed.append(self._placed(committed))  # noqa: PERF401 - those before a failure count
        except OffsetLost as lost:
            self._failure = lost
        except KafkaException as error:
            self._failure = failure_of_consuming(error.args[0], "assign")
        self._start(placed)

    def _start(self, placed: list[TopicPartition]) -> None:
        """Read these from now on; of the others, the one that failed is asked for last next time."""
        numbers = {each.partition for each in placed}
        waiting = [each for each in self._unplaced if each.partition not in numbers]
        self._unplaced = [*waiting[1:], *waiting[:1]]
        self._consumer.incremental_assign(placed)
        if self._paused:
            self._consumer.pause(placed)
        self._owned |= numbers
        self._tell("bridge_partitions_assigned", partitions=sorted(numbers))

    def _placed(self, committed: TopicPartition) -> TopicPartition:
        if committed.error is not None:
            raise KafkaException(committed.error)
        if committed.offset < 0:
            return _at(committed, self._position.on_new_group)
        low, high = self._consumer.get_watermark_offsets(committed, timeout=_ASK_SECONDS)
        if low <= committed.offset <= high:
            return committed
        if self._position.on_lost_offset == "fail":
            raise self._offset_lost(
                f"partition {committed.partition} holds {low} to {high}, we were at {committed.offset}"
            )
        return _at(committed, self._position.on_lost_offset)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Nothing is in flight here: a batch is stored before the next poll, and committed now if that was refused."""
        self._commit()
        self._disown(consumer, partitions)
        self._tell("bridge_partitions_revoked", partitions=[each.partition for each in partitions])

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._disown(consumer, partitions)
        self._tell("bridge_partitions_lost", partitions=[each.partition for each in partitions])

    def _disown(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """From now on these partitions, and their offsets, are another bridge's."""
        gone = {each.partition for each in partitions}
        consumer.incremental_unassign([each for each in partitions if each.partition in self._owned])
        self._owned -= gone
        self._unplaced = [each for each in self._unplaced if each.partition not in gone]
        self._uncommitted = {number: offset for number, offset in self._uncommitted.items() if number not in gone}

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = failure_of_consuming(error, "consume")
        now = self._clock()
        if (
            now - self._told_at.get(error.name(), -math.inf) >= _TELL_AGAIN_SECONDS
        ):  # a client that is alone says it often
            self._told_at[error.name()] = now
            self._tell("kafka_error", error=error.name(), fatal=error.fatal())

    def _offset_lost(self, detail: str) -> OffsetLost:
        return OffsetLost(
            f"the committed offset of group {self._position.group_id} is not in {self._position.topic}: {detail}. "
            "Records were deleted before they were read. Set KAFKA_ON_LOST_OFFSET=earliest to go on with the oldest "
            "record left (events that are known are not done twice), or =latest to go on with new ones only",
            code="offset_lost",
            service="kafka",
            operation="consume",
        )


def record_of(message: Message) -> Record:
    """Return the record that librdkafka delivered."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return Record(
        topic=topic,
        partition=partition,
        offset=offset,
        key=_bytes(message.key()),
        headers=_headers(message),
        payload=_bytes(message.value()) or b"",
        timestamp_ms=_timestamp_ms(message),
    )


def _timestamp_ms(message: Message) -> int | None:
    kind, milliseconds = message.timestamp()
    return milliseconds if kind != TIMESTAMP_NOT_AVAILABLE else None


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    told = message.headers() or []
    pairs = told.items() if isinstance(told, dict) else told
    return [(name, _bytes(value)) for name, value in pairs]


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _at(partition: TopicPartition, where: str) -> TopicPartition:
    offset = {"earliest": -2, "latest": -1}[where]  # librdkafka's OFFSET_BEGINNING and OFFSET_END
    return TopicPartition(partition.topic, partition.partition, offset)


def _options(position: Position) -> dict[str, Any]:
    told = {
        "group.id": position.group_id,
        "group.instance.id": position.group_instance_id,
        "session.timeout.ms": position.session_timeout_ms,
        "heartbeat.interval.ms": position.session_timeout_ms // 3,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # where to start is decided at assignment, so that nothing is skipped in silence
        "check.crcs": True,
        # memory stays flat however long the backlog is: librdkafka would keep 100,000 records of each partition at hand
        "queued.min.messages": 2_000,
        "queued.max.messages.kbytes": 4_096,
        "fetch.max.bytes": 2_097_152,
        "max.partition.fetch.bytes": 262_144,  # a larger record still comes, alone
        "fetch.queue.backoff.ms": 2,  # measured: the default of 1000 caps a reader at 47k records/s
        "fetch.wait.max.ms": 100,
        "max.poll.interval.ms": 300_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "allow.auto.create.topics": True,
    }
    return {name: value for name, value in told.items() if value is not None}
