"""What the publisher promises: confirmed, in order, and a named failure in bounded time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from payments.failures import Failure, KafkaUnauthorized, PublishFailed, PublishRefused, UnknownTopic
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, Retries, StreamPublisher
from payments.streams.reader import TopicReader
from tests.integration.kafka import PATIENCE_SECONDS, Brokers
from workers.embedded.kafka_mock import KafkaMock
from workers.embedded.mock_cluster import MockCluster

pytestmark = pytest.mark.timeout(240)  # a broker may die in any of them


@pytest.fixture
def mock() -> Iterator[KafkaMock]:
    """A mock of this test's own, which it may take away."""
    with KafkaMock() as server:
        yield server


def outgoing(topic: str, key: bytes, value: bytes) -> Outgoing:
    return Outgoing(topic=topic, key=key, value=value, headers=[("correlation_id", b"c"), ("empty", None)])


def test_messages_of_one_key_stay_in_their_order(kafka: Brokers, topic: str, group: str) -> None:
    publisher = StreamPublisher(kafka.access, delivery_timeout_seconds=PATIENCE_SECONDS)
    sent = [(b"key-%d" % (n % 7), b"%05d" % n) for n in range(2000)]
    for start in range(0, len(sent), 250):
        chunk = [outgoing(topic, key, value) for key, value in sent[start : start + 250]]
        assert publisher.send(chunk) == len(chunk)
    read: dict[bytes, list[bytes]] = {}
    places: dict[bytes, set[int]] = {}
    reader = TopicReader(kafka.access, topic, group)
    for record in reader.records():
        assert record.key is not None
        read.setdefault(record.key, []).append(record.payload)
        places.setdefault(record.key, set()).add(record.partition)
    reader.close()
    assert read == {key: [value for each, value in sent if each == key] for key, _ in sent[:7]}
    assert {len(partitions) for partitions in places.values()} == {1}


def test_what_was_sent_has_its_key_and_headers(kafka: Brokers, topic: str, group: str) -> None:
    StreamPublisher(kafka.access, PATIENCE_SECONDS).send([outgoing(topic, b"key", b"value")])
    reader = TopicReader(kafka.access, topic, group)
    (record,) = reader.records()
    reader.close()
    assert (record.key, record.payload) == (b"key", b"value")
    assert record.headers == [("correlation_id", b"c"), ("empty", None)]


def test_sending_nothing_is_no_failure(kafka: Brokers) -> None:
    assert StreamPublisher(kafka.access).send([]) == 0


def test_brokers_that_are_away_make_it_fail_in_bounded_time(mock: KafkaMock) -> None:
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=mock.bootstrap_servers), delivery_timeout_seconds=2)
    assert publisher.send([outgoing("t", b"key", b"before")]) == 1
    mock.set_down()
    started = time.monotonic()
    with pytest.raises(PublishFailed):
        publisher.send([outgoing("t", b"key", b"meanwhile")])
    assert time.monotonic() - started < 10


def test_after_a_failure_it_sends_again_once_the_brokers_are_back(mock: KafkaMock, group: str) -> None:
    access = KafkaAccess(bootstrap_servers=mock.bootstrap_servers)
    publisher = StreamPublisher(access, delivery_timeout_seconds=2)
    publisher.send([outgoing("t", b"key", b"before")])
    mock.set_down()
    with pytest.raises(PublishFailed):
        publisher.send([outgoing("t", b"key", b"meanwhile")])
    mock.set_up()
    assert _sent_at_last(publisher, outgoing("t", b"key", b"after"))
    reader = TopicReader(access, "t", group)
    read = [record.payload for record in reader.records()]
    reader.close()
    assert read[0] == b"before"
    assert read[-1] == b"after"


def _sent_at_last(publisher: StreamPublisher, message: Outgoing) -> bool:
    """Send until it is confirmed, as the relay does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            return publisher.send([message]) == 1
        except PublishFailed:
            continue
    return False


def test_a_message_that_is_too_large_is_refused_for_good_and_named(kafka: Brokers, topic: str) -> None:
    publisher = StreamPublisher(kafka.access, delivery_timeout_seconds=10)
    with pytest.raises(PublishRefused, match="MSG_SIZE_TOO_LARGE"):
        publisher.send([outgoing(topic, b"key", b"x" * 3_000_000)])  # above what the producer itself takes


@pytest.mark.real_kafka(reason="the mock takes records of any size")
def test_a_message_that_the_brokers_find_too_large_is_refused_for_good(kafka: Brokers, topic: str) -> None:
    publisher = StreamPublisher(kafka.access, delivery_timeout_seconds=PATIENCE_SECONDS)
    with pytest.raises(PublishRefused, match="MSG_SIZE_TOO_LARGE"):
        publisher.send([outgoing(topic, b"key", os.urandom(2_000_000))])  # Kafka's default is 1 MiB, compressed


def test_more_than_the_local_queue_holds_is_sent_all_the_same(kafka: Brokers, topic: str, group: str) -> None:
    wanted = 110_000  # librdkafka's queue.buffering.max.messages is 100,000
    publisher = StreamPublisher(kafka.access, delivery_timeout_seconds=PATIENCE_SECONDS)
    sent = publisher.send(Outgoing(topic=topic, key=b"%d" % (n % 100), value=b"v") for n in range(wanted))
    assert sent == wanted
    reader = TopicReader(kafka.access, topic, group)
    assert sum(end - begin for begin, end in reader.ends().values()) == wanted
    reader.close()


# -- what ends at once, what is tried again, and what is told of it ----------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    """A broker in this process, which says what it is told to."""
    made = MockCluster()
    made.create_topic("t", 1)
    yield made
    made.close()


def publisher_of(cluster: MockCluster, delivery_timeout_seconds: float = 30.0, **told: Any) -> StreamPublisher:  # noqa: ANN401 - any option
    access = KafkaAccess(bootstrap_servers=cluster.bootstrap_servers)
    return StreamPublisher(access, delivery_timeout_seconds, **told)


def never(_seconds: float) -> None:
    pytest.fail("it waited to try again")


PERSISTENT = Retries(most=5, delay_seconds=lambda _retry: 60.0)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(3, UnknownTopic, id="UNKNOWN_TOPIC_OR_PART"),
        pytest.param(17, UnknownTopic, id="TOPIC_EXCEPTION"),
        pytest.param(29, KafkaUnauthorized, id="TOPIC_AUTHORIZATION_FAILED"),
    ],
)
def test_a_topic_that_cannot_be_written_ends_it_early_without_a_retry(
    cluster: MockCluster, code: int, kind: type[Failure]
) -> None:
    cluster.set_topic_error("t", code)
    publisher = publisher_of(cluster, retries=PERSISTENT, sleep=never)
    started = time.monotonic()
    with pytest.raises(kind):
        publisher.send([outgoing("t", b"key", b"value")])
    assert time.monotonic() - started < 15  # a delivery may take 30 s


def test_a_login_that_is_refused_ends_it_at_once(cluster: MockCluster) -> None:
    access = KafkaAccess(
        bootstrap_servers=cluster.bootstrap_servers,
        sasl_mechanism="PLAIN",  # which the mock does not know
        sasl_username="payferry",
        sasl_password="wrong",  # noqa: S106 - nobody's
    )
    publisher = StreamPublisher(access, retries=PERSISTENT, sleep=never)
    started = time.monotonic()
    with pytest.raises(KafkaUnauthorized) as refused:
        publisher.send([outgoing("t", b"key", b"value")] * 3)
    assert time.monotonic() - started < 15
    assert refused.value.unconfirmed == {0, 1, 2}


def test_what_is_refused_for_good_is_not_tried_again_and_the_others_went(cluster: MockCluster) -> None:
    publisher = publisher_of(cluster, retries=PERSISTENT, sleep=never)
    batch = [outgoing("t", b"key", value) for value in (b"1", b"x" * 3_000_000, b"3")]
    with pytest.raises(PublishRefused) as refused:
        publisher.send(batch)
    assert refused.value.unconfirmed == {1}
    report = publisher.report()
    assert (report.published, report.failed, report.last_error) == (2, 1, "message_too_large")


def test_an_outage_is_tried_again_after_the_delays_that_were_told(cluster: MockCluster, group: str) -> None:
    slept: list[float] = []
    asked: list[str] = []

    @contextmanager
    def shield() -> Iterator[None]:
        asked.append("the breaker")
        yield

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            cluster.set_up(1)

    retries = Retries(most=3, delay_seconds=lambda retry: retry / 100)
    publisher = publisher_of(cluster, 1.0, shield=shield, retries=retries, sleep=sleep)
    publisher.send([outgoing("t", b"key", b"before")])
    cluster.set_down(1)
    assert publisher.send([outgoing("t", b"key", b"%d" % n) for n in range(3)]) == 3
    assert slept[:2] == [0.01, 0.02]
    assert len(asked) == 2 + len(slept)  # before each try
    reader = TopicReader(KafkaAccess(bootstrap_servers=cluster.bootstrap_servers), "t", group)
    assert [record.payload for record in reader.records()][-3:] == [b"0", b"1", b"2"]
    reader.close()
    report = publisher.report()
    assert (report.published, report.retried, report.last_error) == (4, 3 * len(slept), "broker_timeout")


def test_without_retries_an_outage_fails_it_and_it_names_what_is_left(cluster: MockCluster) -> None:
    publisher = publisher_of(cluster, 1.0, standing=lambda: "open")
    cluster.set_down(1)
    with pytest.raises(PublishFailed) as failed:
        publisher.send([outgoing("t", b"key", b"value")] * 2)
    assert failed.value.unconfirmed == {0, 1}
    report = publisher.report()
    assert (report.published, report.failed, report.error_rate, report.healthy) == (0, 2, 1.0, False)
