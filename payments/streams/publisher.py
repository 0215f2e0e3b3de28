"""Sending messages to Kafka, each confirmed by the brokers before it counts as sent."""

from collections.abc import Iterable

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from payments.failures import Failure, KafkaBroken, PublishFailed, PublishRefused
from payments.streams.kafka import KafkaAccess


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is to go out."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]] = msgspec.field(default_factory=list)


class StreamPublisher:
    """One idempotent producer: messages of one key stay in their order, and a retry inside it makes no double."""

    def __init__(self, access: KafkaAccess, delivery_timeout_seconds: float = 30.0) -> None:
        self._timeout_seconds = delivery_timeout_seconds
        self._failed: dict[int, KafkaError] = {}
        self._producer = Producer(
            access.options()
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "compression.type": "lz4",
                "message.max.bytes": _MOST_BYTES,
                "delivery.timeout.ms": int(delivery_timeout_seconds * 1000),
                "partitioner": "murmur2_random",  # the same partition as the Java client chooses for a key
            }
        )

    def send(self, messages: Iterable[Outgoing]) -> int:
        """Send all and return how many, once every one is confirmed. Raises PublishFailed, PublishRefused."""
        self._failed.clear()
        count = 0
        for count, message in enumerate(messages, start=1):
            self._enqueue(message, count - 1)
        left = self._producer.flush(self._timeout_seconds + 5)
        if self._failed and not left:
            raise _named(next(iter(self._failed.values())), frozenset(self._failed))
        if left:
            raise PublishFailed("not confirmed in time", code="publish_failed", service="kafka", operation="produce")
        return count

    def _enqueue(self, message: Outgoing, place: int) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                self._failed[place] = error

        while True:
            try:
                self._producer.produce(
                    message.topic, message.value, message.key, headers=message.headers, on_delivery=delivered
                )
            except BufferError:  # the local queue is full: let it drain
                self._producer.poll(0.1)
            except KafkaException as error:
                raise _named(error.args[0]) from error
            else:
                self._producer.poll(0)
                return


_MOST_BYTES = 2_097_152  # an event of 1 MiB and what is around it; whether a broker takes it is the broker's setting
_REFUSALS = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})


def _named(error: KafkaError, unconfirmed: frozenset[int] | None = None) -> Failure:
    if error.fatal():
        return KafkaBroken(error.name(), code="kafka_broken", service="kafka", operation="produce")
    kind, code = (PublishRefused, "publish_refused") if error.code() in _REFUSALS else (PublishFailed, "publish_failed")
    failure = kind(error.name(), code=code, service="kafka", operation="produce")
    if isinstance(failure, PublishFailed):
        failure.unconfirmed = unconfirmed
    return failure
