"""Sending wake-up calls to the workers, and seeing how far they have come.

A wake-up is a Celery message that names an inbox row. Losing one costs seconds, and a second one finds nothing to do.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

import msgspec

from payments.borders.redis import failure_of_redis
from payments.failures import QueueAway
from payments.queue.tasks import broker_errors

NUMBER_HEADER = "wakeup"
_LOOKED_AT = 20  # messages at the old end of the queue


class Call(Protocol):
    """What a wake-up needs to be: which row, under which number, and what Flower may show."""

    @property
    def inbox_id(self) -> int: ...  # noqa: D102 - see the class
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def payment_id(self) -> str: ...  # noqa: D102


class Wakeups:
    """The queues of one Celery app. `task` is the name of the task that works off one inbox row."""

    def __init__(self, app: Any, task: str, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401 - untyped
        self._app = app
        self._task = task
        self._clock = clock
        self._away_until = 0.0

    def send(self, calls: Sequence[Call], delay_seconds: float | None = None) -> None:
        """Queue one message for each of `calls`, in one round trip for a few hundred.

        Raises QueueAway. After one failure the queue is left alone for a moment, so that a frozen Redis does not
        cost every batch its whole timeout.
        """
        if not calls:
            return
        if self._clock() < self._away_until:
            raise QueueAway("Redis did not answer a moment ago", service="redis", operation="send")
        try:
            self._publish(calls, delay_seconds)
        except self._errors as error:
            self._away_until = self._clock() + _PAUSE_SECONDS
            raise failure_of_redis(error, "send") from error

    def watermark(self, queue: str) -> int | None:
        """Return the lowest number among the oldest messages in `queue`; None where it is empty.

        The lowest of several, since two bridges may number in one order and send in the other. Where none of them can
        be read, 0: they may hide any number, and workers will soon have taken them away. Raises QueueAway.
        """
        try:
            with self._app.connection_or_acquire() as connection:
                oldest_last = connection.default_channel.client.lrange(queue, -_LOOKED_AT, -1)
        except self._errors as error:
            raise failure_of_redis(error, "look") from error
        numbers = [number for number in map(_number, oldest_last) if number is not None]
        return min(numbers, default=0 if oldest_last else None)

    def _publish(self, calls: Sequence[Call], delay_seconds: float | None) -> None:
        with self._app.producer_or_acquire() as producer, producer.batch(max_size=_ROUND_TRIP):
            for call in calls:
                self._publish_one(producer, call, delay_seconds)

    def _publish_one(self, producer: Any, call: Call, delay_seconds: float | None) -> None:  # noqa: ANN401 - untyped
        told = {"inbox_id": call.inbox_id, "provider": call.provider, "payment_id": call.payment_id}
        task_id = f"{call.inbox_id}-{call.number}"
        headers = {
            **self._envelope.headers,
            "id": task_id,
            "root_id": task_id,
            "kwargsrepr": str(told),
            NUMBER_HEADER: call.number,
        }
        if delay_seconds is not None:
            headers["eta"] = (datetime.now(UTC) + timedelta(seconds=delay_seconds)).isoformat()
        producer.publish(
            _ENCODER.encode(((), told, self._embedded)).decode(),
            exchange="",
            routing_key=f"payments.{call.provider}",
            content_type="application/json",
            content_encoding="utf-8",
            headers=headers,
            correlation_id=task_id,
        )

    @cached_property
    def _envelope(self) -> Any:  # noqa: ANN401 - Celery is untyped
        """What Celery puts around every message of our task, made by Celery once."""
        return self._app.amqp.as_task_v2("", self._task, args=(), kwargs={})

    @cached_property
    def _embedded(self) -> Any:  # noqa: ANN401 - Celery is untyped
        """The third part of a message's body: callbacks and the like, of which we have none."""
        return self._envelope.body[2]

    @cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        """What the transport raises when its server is away."""
        return broker_errors(self._app)


_ROUND_TRIP = 500  # messages of one pipeline
_PAUSE_SECONDS = 1.0


class _Message(msgspec.Struct):
    headers: dict[str, Any]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Message)


def _number(message: bytes) -> int | None:
    """Return the number in a queued message, or None where it is not one of ours."""
    try:
        number = _DECODER.decode(message).headers.get(NUMBER_HEADER)
    except msgspec.MsgspecError:
        return None
    return number if isinstance(number, int) else None
