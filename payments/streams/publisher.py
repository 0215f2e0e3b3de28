"""Sending messages to Kafka, each confirmed by the brokers before it counts as sent."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from payments.borders.kafka import failure_of_publishing, kind_of_kafka, worst
from payments.failures import KafkaBroken, KafkaUnauthorized, PublishFailed, PublishRefused, UnknownTopic
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher_report import PublisherReport, PublishTally

Shield = Callable[[], AbstractContextManager[Any]]
"""What stands before every batch, such as a breaker, and sees what comes out of it."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is to go out."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]] = msgspec.field(default_factory=list)


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often `send` tries again by itself what may go well then, and how long it waits before each time.

    librdkafka tries again within one delivery already; what comes out of that was an outage and no hiccup.
    """

    most: int = 0
    delay_seconds: Callable[[int], float] = lambda _retry: 0.0
    """The wait before a retry by its number, from 1."""


NO_RETRIES = Retries()

_HOPELESS = (UnknownTopic, KafkaUnauthorized)
"""Transient, since an operator may set it right, but not by trying again within this call."""


class StreamPublisher:
    """One idempotent producer: messages of one key stay in their order, and a retry inside it makes no double.

    `standing` tells the state of the breaker that `shield` is. One thread at a time may send.
    """

    def __init__(
        self,
        access: KafkaAccess,
        delivery_timeout_seconds: float = 30.0,
        shield: Shield = nullcontext,
        *,
        retries: Retries = NO_RETRIES,
        standing: Callable[[], str] = lambda: "closed",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_seconds = delivery_timeout_seconds
        self._shield = shield
        self._retries = retries
        self._standing = standing
        self._clock = clock
        self._sleep = sleep
        self._tally = PublishTally()
        self._login: KafkaError | None = None
        self._producer = Producer(access.options() | _options(delivery_timeout_seconds) | {"error_cb": self._on_error})

    def send(self, messages: Iterable[Outgoing]) -> int:
        """Send all and return how many, once every one is confirmed.

        What is transient is tried again as often as `retries` says. A topic that is not there and a login that is
        refused end it at once. Raises PublishFailed, PublishRefused where one of the messages can never be sent, both
        with the places that were not confirmed; KafkaBroken, and what the shield raises.
        """
        whole = list(messages)
        failure = self._try(whole, range(len(whole)))
        for retry in range(1, self._retries.most + 1):
            if failure is None or isinstance(failure, _HOPELESS):
                break
            self._sleep(self._retries.delay_seconds(retry))  # so that brokers that come back are not run over
            again = to_repeat([(each.topic, each.key) for each in whole], failure.unconfirmed or frozenset())
            self._tally.retried += len(again)
            failure = self._try(whole, again)
        if failure is not None:
            raise failure
        return len(whole)

    def _try(self, whole: Sequence[Outgoing], places: Sequence[int]) -> PublishFailed | None:
        """Hand over the messages at these places; return why not all were confirmed, unless trying again cannot help.

        Which were not is told by their places in the whole.
        """
        try:
            self._send_once([whole[place] for place in places])
        except PublishFailed as failure:
            failure.unconfirmed = _left(places, failure)
            return failure
        except PublishRefused as refusal:
            refusal.unconfirmed = _left(places, refusal)
            raise
        return None

    def report(self) -> PublisherReport:
        """Return how this producer has fared so far."""
        return self._tally.report(self._clock(), self._standing())

    def _send_once(self, messages: Sequence[Outgoing]) -> None:
        with self._shield():
            since = self._clock()
            try:
                _Batch(self._producer, messages).deliver(self._timeout_seconds, self._refused_login)
            except (PublishFailed, PublishRefused, KafkaBroken) as failure:
                left = getattr(failure, "unconfirmed", None)
                failed = len(messages) if left is None else len(left)
                self._tally.count(since, self._clock(), len(messages) - failed, failed, failure.code)
                raise
            self._tally.count(since, self._clock(), len(messages), 0)

    def _refused_login(self) -> KafkaError | None:
        """Return why the brokers refuse us, where they said so since it was asked last."""
        told, self._login = self._login, None
        return told

    def _on_error(self, error: KafkaError) -> None:
        """Keep what librdkafka tells of a login: it goes on trying, and the messages would only time out."""
        if issubclass(kind_of_kafka(error), KafkaUnauthorized):
            self._login = error


class _Batch:
    """Messages on their way, by their places, and what the brokers said of them."""

    def __init__(self, producer: Producer, messages: Sequence[Outgoing]) -> None:
        self._producer = producer
        self._messages = messages
        self._unconfirmed = set(range(len(messages)))
        self._failed: dict[int, KafkaError] = {}

    def deliver(self, timeout_seconds: float, refused_login: Callable[[], KafkaError | None]) -> None:
        """Send all and wait until it is known of each what became of it."""
        for place, message in enumerate(self._messages):
            self._enqueue(place, message)
        until = time.monotonic() + timeout_seconds + _GRACE_SECONDS
        while self._producer.flush(_LOOK_SECONDS):
            if (login := refused_login()) is not None and len(self._unconfirmed) == len(self._messages):
                self._producer.purge()  # nobody took anything of it
                raise failure_of_publishing(login, frozenset(self._unconfirmed))
            if time.monotonic() > until:
                raise failure_of_publishing(KafkaError(KafkaError._MSG_TIMED_OUT), frozenset(self._unconfirmed))  # noqa: SLF001 - librdkafka's public code
        if self._failed:
            raise failure_of_publishing(worst(self._failed.values()), frozenset(self._failed))

    def _enqueue(self, place: int, message: Outgoing) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._unconfirmed.discard(place)
            else:
                self._failed[place] = error

        while True:
            try:
                self._producer.produce(
                    message.topic, message.value, message.key, headers=message.headers, on_delivery=delivered
                )
            except BufferError:  # the local queue is full: let it drain
                self._producer.poll(0.1)
            except KafkaException as error:
                self._failed[place] = error.args[0]
                return
            else:
                self._producer.poll(0)
                return


def to_repeat(keys: Sequence[object], unconfirmed: frozenset[int]) -> list[int]:
    """Return the places to send again: what was not confirmed, and what has the same key and stands behind such a one.

    What was confirmed behind it would otherwise stand before it in the topic for good; so it is repeated after it.
    """
    behind: set[object] = set()
    again = []
    for place, key in enumerate(keys):
        if place in unconfirmed or key in behind:
            again.append(place)
            behind.add(key)
    return again


def _left(places: Sequence[int], failure: PublishFailed | PublishRefused) -> frozenset[int]:
    """Return which of the places that were handed over were not confirmed."""
    told = failure.unconfirmed
    return frozenset(place for number, place in enumerate(places) if told is None or number in told)


def _options(delivery_timeout_seconds: float) -> dict[str, Any]:
    """Return what librdkafka's CONFIGURATION.md says of a producer, where its default is not ours."""
    return {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": _MOST_BYTES,
        "delivery.timeout.ms": int(delivery_timeout_seconds * 1000),
        "topic.metadata.propagation.max.ms": 5000,  # a new topic is known sooner; one that is missing is, too
        "partitioner": "murmur2_random",  # the same partition as the Java client chooses for a key
    }


_MOST_BYTES = 2_097_152  # an event of 1 MiB and what is around it; whether a broker takes it is the broker's setting
_GRACE_SECONDS = 5.0  # librdkafka looks for messages that took too long about once a second
_LOOK_SECONDS = 0.25  # between two looks at what librdkafka told of our login
