"""The Kafka of this run, which the same tests use whether it is real or the embedded mock."""

import time
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from payments.failures import PublishFailed
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, StreamPublisher
from workers.embedded.kafka_mock import KafkaMock

PARTITIONS = 4
PATIENCE_SECONDS = 60.0
"""Long enough for a real broker to die, its partitions to get other leaders, and the broker to come back."""

_LOOK_SECONDS = 0.05
_ASK_SECONDS = 5.0


def eventually(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for the condition; brokers that are away for a moment are no failure."""
    deadline = time.monotonic() + seconds
    while not _holds(condition):
        assert time.monotonic() < deadline, f"within {seconds:g} s: {what}"
        time.sleep(_LOOK_SECONDS)  # between two looks


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except KafkaException:
        return False


class Brokers:
    """A real cluster by its address, or the mock."""

    def __init__(self, bootstrap_servers: str, mock: KafkaMock | None = None) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._mock = mock

    @property
    def real(self) -> bool:
        """Whether these are brokers of Apache Kafka."""
        return self._mock is None

    @property
    def access(self) -> KafkaAccess:
        """How our own clients reach them."""
        return KafkaAccess(bootstrap_servers=self.bootstrap_servers)

    def admin(self) -> AdminClient:
        """Return a client for what only an operator does."""
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def create_topic(self, name: str, partitions: int = PARTITIONS) -> None:
        """Make a topic; on a real cluster wait until each partition has a leader."""
        if self._mock is not None:
            self._mock.create_topic(name, partitions)
            return
        admin = self.admin()
        eventually(lambda: _exists(admin, name) or _created(admin, name, partitions), f"topic {name} is made")
        eventually(lambda: _has_leaders(admin, name), f"topic {name} has leaders")

    def produce(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Send key and value of each message and wait for all confirmations; a broker may die meanwhile."""
        publisher = StreamPublisher(self.access, delivery_timeout_seconds=PATIENCE_SECONDS)
        publisher.send([Outgoing(topic=topic, key=key, value=value) for key, value in messages])

    def produce_at(self, topic: str, places: Sequence[tuple[int, bytes]]) -> None:
        """Send each value to its partition."""
        from confluent_kafka import Producer  # noqa: PLC0415 - only here is a partition chosen by hand

        refused: list[object] = []
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "acks": "all", "enable.idempotence": True})
        for partition, value in places:
            producer.produce(topic, value, partition=partition, on_delivery=lambda error, _: refused.append(error))
        left = producer.flush(PATIENCE_SECONDS)
        if left or any(refused):
            raise PublishFailed("not confirmed", code="publish_failed", service="kafka", operation="produce")

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """Return the committed offset of each partition, 0 where there is none."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0})
        try:
            asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            return {each.partition: max(0, each.offset) for each in consumer.committed(asked, timeout=_ASK_SECONDS)}
        finally:
            consumer.close()

    def commit(self, topic: str, group: str, offsets: dict[int, int]) -> None:
        """Commit offsets for a group that nobody is in."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0})
        told = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        try:
            eventually(lambda: consumer.commit(offsets=told, asynchronous=False), "the group takes the offsets")
        finally:
            consumer.close()


def _exists(admin: AdminClient, name: str) -> bool:
    return name in admin.list_topics(timeout=_ASK_SECONDS).topics


def _created(admin: AdminClient, name: str, partitions: int) -> bool:
    admin.create_topics([NewTopic(name, partitions)])[name].result(_ASK_SECONDS)
    return True


def _has_leaders(admin: AdminClient, name: str) -> bool:
    told = admin.list_topics(name, timeout=_ASK_SECONDS).topics[name].partitions
    return bool(told) and all(partition.leader > 0 for partition in told.values())
