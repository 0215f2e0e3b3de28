"""Sending messages to Kafka, each confirmed by the brokers before it counts as sent."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from payments.borders.kafka import failure_of_publishing, worst
from payments.failures import BrokerTimeout
from payments.streams.kafka import KafkaAccess

Shield = Callable[[], AbstractContextManager[Any]]
"""What stands before every batch, such as a breaker, and sees what comes out of it."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is to go out."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]] = msgspec.field(default_factory=list)


class StreamPublisher:
    """One idempotent producer: messages of one key stay in their order, and a retry inside it makes no double."""

    def __init__(
        self, access: KafkaAccess, delivery_timeout_seconds: float = 30.0, shield: Shield = nullcontext
    ) -> None:
        self._shield = shield
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
        """Send all and return how many, once every one is confirmed.

        Raises PublishFailed, PublishRefused where one of them can never be sent, KafkaBroken, and what the shield
        raises.
        """
        with self._shield():
            return self._send(messages)

    def _send(self, messages: Iterable[Outgoing]) -> int:
        self._failed.clear()
        count = 0
        for count, message in enumerate(messages, start=1):
            self._enqueue(message, count - 1)
        left = self._producer.flush(self._timeout_seconds + 5)
        if self._failed and not left:
            raise failure_of_publishing(worst(self._failed.values()), frozenset(self._failed))
        if left:
            raise BrokerTimeout("not confirmed in time", service="kafka", operation="produce")
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
                raise failure_of_publishing(error.args[0]) from error
            else:
                self._producer.poll(0)
                return


_MOST_BYTES = 2_097_152  # an event of 1 MiB and what is around it; whether a broker takes it is the broker's setting
