"""Sending messages to Kafka, each confirmed by the brokers before it counts as sent."""

from collections.abc import Iterable

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from payments.failures import Transient
from payments.streams.kafka import KafkaAccess


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is to go out."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]] = msgspec.field(default_factory=list)


class PublishFailed(Transient):
    """The brokers did not confirm. What was sent may stand in the topic all the same, so it may be sent twice."""


class StreamPublisher:
    """One idempotent producer: messages of one key stay in their order, and a retry inside it makes no double."""

    def __init__(self, access: KafkaAccess, delivery_timeout_seconds: float = 30.0) -> None:
        self._timeout_seconds = delivery_timeout_seconds
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            access.options()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "compression.type": "lz4",
                "delivery.timeout.ms": int(delivery_timeout_seconds * 1000),
                "partitioner": "murmur2_random",  # the same partition as the Java client chooses for a key
            }
        )

    def send(self, messages: Iterable[Outgoing]) -> int:
        """Send all and return how many, once every one is confirmed. Raises PublishFailed."""
        self._failed.clear()
        count = 0
        for count, message in enumerate(messages, start=1):  # noqa: B007 - the last number is the answer
            self._enqueue(message)
        left = self._producer.flush(self._timeout_seconds + 5)
        if left or self._failed:
            name = self._failed[0].name() if self._failed else "not confirmed in time"
            raise PublishFailed(name, code="publish_failed", service="kafka", operation="produce")
        return count

    def _enqueue(self, message: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    message.topic, message.value, message.key, headers=message.headers, on_delivery=self._delivered
                )
            except BufferError:  # the local queue is full: let it drain
                self._producer.poll(0.1)
            except KafkaException as error:
                raise PublishFailed(
                    error.args[0].name(), code="publish_failed", service="kafka", operation="produce"
                ) from error
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)
