"""What the consumer does where brokers are away or hand out failures along with records."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from payments.envelope import Record
from payments.failures import KafkaAway, OffsetLost
from payments.streams import consumer as module
from payments.streams.consumer import Position, StreamConsumer
from tests.integration.kafka import PARTITIONS, Brokers, eventually
from tests.integration.streams.bridges import Told
from workers.embedded.kafka_mock import KafkaMock

pytestmark = pytest.mark.timeout(240)  # a broker may die in any of them


def a_position(topic: str, group: str, **told: Any) -> Position:  # noqa: ANN401 - any field
    whole = {
        "topic": topic,
        "group_id": group,
        "group_instance_id": None,
        "session_timeout_ms": 6000,
        "on_new_group": "earliest",
        "on_lost_offset": "fail",
    }
    return Position(**(whole | told))


class Reading:
    """A consumer and everything that it has returned."""

    def __init__(self, brokers: Brokers, position: Position) -> None:
        self.told = Told()
        self.consumer = StreamConsumer(brokers.access, position, self.told)
        self.records: list[Record] = []

    def read(self, most: int = 100) -> list[Record]:
        """Take a batch; brokers that are away are no failure."""
        try:
            batch = self.consumer.batch(most, 0.2)
        except KafkaAway:
            return []
        self.records += batch
        return batch

    def has_read(self, wanted: int) -> bool:
        """Take a batch and say whether there are so many by now."""
        self.read()
        return len(self.records) >= wanted

    def owns(self, wanted: int) -> bool:
        """Poll once and say whether so many partitions are ours."""
        self.read()
        numbers = [fields["partitions"] for fields in self.told.of("bridge_partitions_assigned")]
        return sum(len(each) for each in numbers if isinstance(each, list)) >= wanted


@pytest.fixture
def reading(kafka: Brokers, topic: str, group: str) -> Iterator[Reading]:
    made = Reading(kafka, a_position(topic, group))
    yield made
    made.consumer.close()


def test_a_record_comes_as_it_was_sent(kafka: Brokers, topic: str, reading: Reading) -> None:
    kafka.produce(topic, [(b"key", b"value"), (b"key", b"")])
    eventually(lambda: reading.has_read(2), "both are read")
    first, second = reading.records
    assert (first.topic, first.key, first.payload, first.headers) == (topic, b"key", b"value", [])
    assert (second.partition, second.offset, second.payload) == (first.partition, 1, b"")


def test_a_batch_holds_no_more_than_was_asked_for(kafka: Brokers, topic: str, reading: Reading) -> None:
    eventually(lambda: reading.owns(PARTITIONS), "the group is formed")
    kafka.produce(topic, [(b"%d" % n, b"value") for n in range(50)])
    sizes: list[int] = []
    while len(reading.records) < 50:
        sizes.append(len(reading.read(7)))
    assert max(sizes) <= 7


def test_nothing_comes_while_paused_and_everything_after(kafka: Brokers, topic: str, reading: Reading) -> None:
    eventually(lambda: reading.owns(PARTITIONS), "the group is formed")
    reading.consumer.pause()
    kafka.produce(topic, [(b"%d" % n, b"value") for n in range(20)])
    assert [reading.read() for _ in range(10)] == [[]] * 10
    reading.consumer.resume()
    eventually(lambda: reading.has_read(20), "all are read")


def test_partitions_that_come_while_paused_are_paused_too(kafka: Brokers, topic: str, reading: Reading) -> None:
    reading.consumer.pause()
    kafka.produce(topic, [(b"%d" % n, b"value") for n in range(20)])
    eventually(lambda: reading.owns(PARTITIONS), "the group is formed")
    assert [reading.read() for _ in range(10)] == [[]] * 10


def test_only_what_was_handed_to_commit_is_committed(kafka: Brokers, topic: str, group: str, reading: Reading) -> None:
    kafka.produce_at(topic, [(2, b"%d" % n) for n in range(10)])
    eventually(lambda: reading.has_read(10), "all are read")
    reading.consumer.commit(reading.records[:4])
    eventually(lambda: _is_committed(kafka, topic, group, {0: 0, 1: 0, 2: 4, 3: 0}, reading), "four are committed")
    reading.consumer.close()
    assert kafka.committed(topic, group)[2] == 4
    reading.consumer = Reading(kafka, a_position(topic, group)).consumer  # for the fixture to close


def _is_committed(kafka: Brokers, topic: str, group: str, wanted: dict[int, int], reading: Reading) -> bool:
    reading.read()
    return kafka.committed(topic, group) == wanted


@pytest.mark.real_kafka(reason="the mock cannot delete records")
def test_records_that_were_deleted_unread_are_an_error(kafka: Brokers, topic: str, group: str) -> None:
    kafka.produce_at(topic, [(0, b"%d" % n) for n in range(10)])
    kafka.commit(topic, group, {0: 3})
    admin, beyond = kafka.admin(), TopicPartition(topic, 0, 6)
    eventually(lambda: admin.delete_records([beyond])[beyond].result(10), "the records are deleted")
    reading = Reading(kafka, a_position(topic, group))
    with pytest.raises(OffsetLost, match="partition 0 holds 6 to 10, we were at 3"):
        eventually(lambda: reading.has_read(1), "it stops")
    reading.consumer.close()


@pytest.mark.real_kafka(reason="the mock cannot delete records")
def test_records_that_are_deleted_while_paused_are_an_error(kafka: Brokers, topic: str, reading: Reading) -> None:
    eventually(lambda: reading.owns(PARTITIONS), "the group is formed")
    reading.consumer.pause()
    kafka.produce_at(topic, [(0, b"%d" % n) for n in range(10)])
    admin, beyond = kafka.admin(), TopicPartition(topic, 0, 6)
    eventually(lambda: admin.delete_records([beyond])[beyond].result(10), "the records are deleted")
    reading.read()
    reading.consumer.resume()
    with pytest.raises(OffsetLost, match="KAFKA_ON_LOST_OFFSET"):
        eventually(lambda: reading.has_read(11), "it stops")


def test_a_broker_that_is_away_at_the_assignment_only_delays_its_partitions() -> None:
    group = uuid.uuid4().hex
    with KafkaMock(brokers=3) as mock:
        brokers = Brokers(mock.bootstrap_servers, mock)
        name = _divided_topic(brokers)
        brokers.produce_at(name, [(number, b"old") for number in range(PARTITIONS)])
        brokers.commit(name, group, dict.fromkeys(range(PARTITIONS), 1))
        brokers.produce_at(name, [(number, b"new") for number in range(PARTITIONS)])
        away = _take_away_a_leader(mock, brokers, name, group)
        reading = Reading(brokers, a_position(name, group))
        eventually(lambda: reading.has_read(1), "the other partitions are read")
        with pytest.raises(KafkaAway):
            eventually(lambda: reading.consumer.batch(10, 0.2) is None, "the failure is told")
        mock.set_up(away)
        eventually(lambda: reading.has_read(PARTITIONS), "the new records are read")
        assert [record.payload for record in reading.records] == [b"new"] * PARTITIONS
        reading.consumer.commit(reading.records)
        eventually(
            lambda: _is_committed(brokers, name, group, dict.fromkeys(range(PARTITIONS), 2), reading),
            "and committed",
        )
        reading.consumer.close()


def _divided_topic(brokers: Brokers) -> str:
    """Return a new topic whose partitions have at least two leaders; the mock chooses them by chance."""
    for name in (f"delayed-{number}" for number in range(50)):
        brokers.create_topic(name)
        if len(_leaders(brokers, name)) > 1:
            return name
    raise AssertionError("one broker leads every partition of every topic")


def _leaders(brokers: Brokers, topic: str) -> set[int]:
    partitions = brokers.admin().list_topics(topic, timeout=10).topics[topic].partitions
    return {each.leader for each in partitions.values()}


def _take_away_a_leader(mock: KafkaMock, brokers: Brokers, topic: str, group: str) -> int:
    """Take away a broker whose absence a partition does not survive, but the group does; return its number."""
    for broker in _leaders(brokers, topic):
        mock.set_down(broker)
        try:
            brokers.committed(topic, group)
        except KafkaException:
            mock.set_up(broker)
        else:
            return broker
    raise AssertionError("one broker leads every partition")


class Scripted:
    """Stands in for librdkafka's consumer, and hands out what it was told to."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)

    def __call__(self, _options: object) -> "Scripted":
        return self

    def subscribe(self, _topics: list[str], **_callbacks: object) -> None:
        """Take the callbacks, which nothing will call."""

    def poll(self, _seconds: float) -> Message | None:
        """Return the next message."""
        return self._messages.pop(0) if self._messages else None

    def consume(self, most: int, _seconds: float) -> list[Message]:
        """Return the others."""
        taken, self._messages = self._messages[:most], self._messages[most:]
        return taken


def test_records_that_come_along_with_a_failure_are_not_dropped(
    monkeypatch: pytest.MonkeyPatch, kafka: Brokers
) -> None:
    refusal = Message("t", 1, 0, None, b"", None, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    script = Scripted(_a_message(b"first", 5), refusal, _a_message(b"second", 6))
    monkeypatch.setattr(module, "Consumer", script)
    consumer = StreamConsumer(kafka.access, a_position("t", "g"), Told())
    assert [record.payload for record in consumer.batch(10, 0.1)] == [b"first", b"second"]
    with pytest.raises(KafkaAway, match="AUTHORIZATION"):
        consumer.batch(10, 0.1)
    assert consumer.batch(10, 0.1) == []


def _a_message(value: bytes, offset: int) -> Message:
    return Message("t", 0, offset, None, value, None, None)
