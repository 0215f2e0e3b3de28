"""Reading a topic from its beginning to where it ends now, outside of any group."""

from collections.abc import Iterator
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from payments.borders.kafka import failure_of_consuming
from payments.envelope import Record
from payments.failures import Failure, KafkaAway
from payments.streams.consumer import record_of
from payments.streams.kafka import KafkaAccess

_SECONDS = 10.0
_BATCH = 1000


class TopicReader:
    """Reads what a topic holds at this moment. Nothing is committed."""

    def __init__(self, access: KafkaAccess, topic: str, group_id: str, answer_seconds: float = _SECONDS) -> None:
        """`answer_seconds` is how long to wait for each answer of the brokers."""
        self._topic = topic
        self._answer_seconds = answer_seconds
        self._consumer = Consumer(
            access.options()
            | {
                "group.id": group_id,  # named only to ask for its offsets; it is never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,  # the last offset may be a gap: a transaction's marker, or compacted away
                "fetch.queue.backoff.ms": 2,
            }
        )

    def committed(self) -> dict[int, int]:
        """Return the group's committed offset of each partition; 0 where it has none. Raises KafkaAway."""
        try:
            told = self._consumer.committed(self._partitions(), timeout=self._answer_seconds)
        except KafkaException as error:
            raise _away(error) from error
        return {each.partition: max(0, each.offset) for each in told}

    def ends(self) -> dict[int, tuple[int, int]]:
        """Return the first and the next offset of each partition. Raises KafkaAway."""
        try:
            return {
                each.partition: self._consumer.get_watermark_offsets(each, timeout=self._answer_seconds)
                for each in self._partitions()
            }
        except KafkaException as error:
            raise _away(error) from error

    def records(self, since: datetime | None = None) -> Iterator[Record]:
        """Yield every record, or those with a timestamp from `since` on. Raises KafkaAway."""
        bounds = {partition: ends for partition, ends in self.ends().items() if ends[1] > ends[0]}
        starts = self._starts(bounds, since)
        left = {partition: end for partition, (_, end) in bounds.items()}
        left = {each.partition: left[each.partition] for each in starts if 0 <= each.offset < left[each.partition]}
        self._consumer.assign([each for each in starts if each.partition in left])
        while left:
            first = self._consumer.poll(_SECONDS)  # consume() alone would wait for a whole batch
            if first is None:
                raise KafkaAway("no record came in time", service="kafka", operation="read")
            for message in (first, *self._consumer.consume(_BATCH, 0)):
                if error := message.error():
                    _end_of_partition(error, message, left)
                    continue
                record = record_of(message)
                if record.offset < left.get(record.partition, 0):
                    yield record
                if record.offset + 1 >= left.get(record.partition, 0):
                    left.pop(record.partition, None)

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def _starts(self, bounds: dict[int, tuple[int, int]], since: datetime | None) -> list[TopicPartition]:
        if since is None:
            return [TopicPartition(self._topic, partition, begin) for partition, (begin, _) in bounds.items()]
        moment = int(since.timestamp() * 1000)
        asked = [TopicPartition(self._topic, partition, moment) for partition in bounds]
        told = self._consumer.offsets_for_times(asked, timeout=self._answer_seconds)
        if bounds and all(each.error is not None for each in told):
            raise KafkaAway("these brokers keep no index of times", code="no_times", service="kafka", operation="read")
        return told

    def _partitions(self) -> list[TopicPartition]:
        try:
            told = self._consumer.list_topics(self._topic, timeout=self._answer_seconds).topics[self._topic]
        except KafkaException as error:
            raise _away(error) from error
        return [TopicPartition(self._topic, number) for number in sorted(told.partitions)]


def _end_of_partition(error: KafkaError, message: Message, left: dict[int, int]) -> None:
    """Strike off the partition that has been read to its end; any other error is raised."""
    partition = message.partition()
    if error.code() != KafkaError._PARTITION_EOF or partition is None:  # noqa: SLF001 - librdkafka's public code
        raise failure_of_consuming(error, "read")
    left.pop(partition, None)


def _away(error: KafkaException) -> Failure:
    return failure_of_consuming(error.args[0], "read")
