"""Reading what a topic holds, outside of any group."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from payments.failures import KafkaAway
from payments.streams.kafka import KafkaAccess
from payments.streams.reader import TopicReader
from tests.integration.kafka import PARTITIONS, Brokers
from workers.embedded.kafka_mock import KafkaMock

pytestmark = pytest.mark.timeout(240)  # a broker may die in any of them


@pytest.fixture
def reader(kafka: Brokers, topic: str, group: str) -> Iterator[TopicReader]:
    opened = TopicReader(kafka.access, topic, group)
    yield opened
    opened.close()


def test_it_reads_every_partition_and_passes_over_the_empty_ones(
    kafka: Brokers, topic: str, reader: TopicReader
) -> None:
    places = [(1, b"%d" % n) for n in range(1500)] + [(3, b"lone")]
    kafka.produce_at(topic, places)
    read = [(record.partition, record.payload) for record in reader.records()]
    assert [place for place in read if place[0] == 1] == places[:1500]
    assert [place for place in read if place[0] == 3] == [(3, b"lone")]
    assert len(read) == 1501


def test_an_empty_topic_has_nothing_to_read(reader: TopicReader) -> None:
    assert list(reader.records()) == []
    assert reader.ends() == dict.fromkeys(range(PARTITIONS), (0, 0))


def test_it_ends_where_the_topic_ended_when_it_began(kafka: Brokers, topic: str, reader: TopicReader) -> None:
    kafka.produce_at(topic, [(0, b"old")] * 10)
    records = reader.records()
    first = next(records)
    kafka.produce_at(topic, [(0, b"new")] * 10)
    assert [record.payload for record in (first, *records)] == [b"old"] * 10


def test_it_can_be_read_twice(kafka: Brokers, topic: str, reader: TopicReader) -> None:
    kafka.produce_at(topic, [(number, b"value") for number in range(PARTITIONS)])
    assert len(list(reader.records())) == len(list(reader.records())) == PARTITIONS


def test_it_tells_what_the_group_has_committed(kafka: Brokers, topic: str, group: str, reader: TopicReader) -> None:
    kafka.produce_at(topic, [(2, b"value")] * 10)
    assert reader.committed() == dict.fromkeys(range(PARTITIONS), 0)
    kafka.commit(topic, group, {2: 7})
    assert reader.committed() == {0: 0, 1: 0, 2: 7, 3: 0}
    assert reader.ends()[2] == (0, 10)


@pytest.mark.real_kafka(reason="the mock does not look for offsets by time")
def test_since_leaves_out_what_is_older(kafka: Brokers, topic: str, reader: TopicReader) -> None:
    kafka.produce_at(topic, [(0, b"old"), (1, b"old")])
    _until_the_clock_moves()
    between = datetime.now(UTC)
    kafka.produce_at(topic, [(1, b"new"), (2, b"new")])
    assert [record.payload for record in reader.records(between)] == [b"new", b"new"]
    assert list(reader.records(between + timedelta(hours=1))) == []


def _until_the_clock_moves() -> None:
    """Kafka's timestamps count milliseconds."""
    began = time.time()
    while time.time() < began + 0.01:
        time.sleep(0.001)  # between two looks at the clock


def test_brokers_that_are_away_are_a_failure_with_a_name() -> None:
    with KafkaMock() as mock:
        mock.create_topic("t", PARTITIONS)
        mock.set_down()
        reader = TopicReader(KafkaAccess(bootstrap_servers=mock.bootstrap_servers), "t", "g")
        with pytest.raises(KafkaAway):
            list(reader.records())
        reader.close()
