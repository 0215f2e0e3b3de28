"""Payments as they change: a stream that survives its connections, its servers and their restarts."""

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Self

import msgspec

from payferry.v1 import payment_pb2 as messages
from payments.client.endpoint import Endpoint
from payments.client.persistence import Persistence, Reconnect
from payments.client.stream import Stream, StreamEnded
from payments.client.values import Event, event_of
from payments.failures import Failure, Postponed, Unavailable


class WatchPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a watch holds on. The server gives a sign of life every 5 s or so; three that are missed are silence."""

    connect_seconds: float = 5.0
    silence_seconds: float = 20.0
    reconnect: Reconnect = Reconnect()


class Reconnecting(msgspec.Struct, frozen=True, kw_only=True):
    """That the stream has ended with `failure`, the `failures_in_a_row`th, and is asked for again after the delay."""

    failure: Failure
    failures_in_a_row: int
    delay_seconds: float


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch has handed out, for how long it has been at it, and how often it came back after a failure."""

    existing: int
    new: int
    duration_seconds: float
    reconnects: int


class Watch:
    """An iterator over events: each once and in their order, whatever happens to the connection.

    It ends when it is closed. Otherwise it raises the Failure because of which it cannot go on: one that would come
    again, or the last of too many in a row. `cursor` is where it stands: after the last event handed out, or after a
    later sign of life that no event came with; a watch that begins with it goes on there.

    One thread iterates; any may close.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: messages.StreamPaymentsRequest,
        policy: WatchPolicy,
        on_reconnect: Callable[[Reconnecting], object] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.cursor = request.cursor or None
        self.is_live = False
        """Whether every existing payment has been handed out, so that all from here on is new."""

        self._endpoint = endpoint
        self._request = request
        self._policy = policy
        self._on_reconnect = on_reconnect
        self._clock = clock
        self._persistence = Persistence(policy.reconnect)
        self._begun = clock()
        self._ended: float | None = None
        self._existing = self._new = self._streams = 0
        self._closing = threading.Event()
        self._stream: Stream | None = None
        self._events = self._run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    @property
    def statistics(self) -> Statistics:
        """What has been so far."""
        ended = self._clock() if self._ended is None else self._ended
        return Statistics(
            existing=self._existing,
            new=self._new,
            duration_seconds=ended - self._begun,
            reconnects=max(0, self._streams - 1),
        )

    def close(self) -> None:
        """End the watch; who waits for its next event gets none. May be called again, and by any thread."""
        self._closing.set()
        self._stop_clock()
        if (stream := self._stream) is not None:
            stream.close()

    def _run(self) -> Iterator[Event]:
        while not self._closing.is_set():
            try:
                with self._open() as stream:
                    yield from self._handed_out(stream)
            except StreamEnded as ended:
                if not self._closing.is_set():
                    self._wait_after(ended)

    def _open(self) -> Stream:
        """Ask for what comes after the cursor."""
        self._persistence.begin()
        request = messages.StreamPaymentsRequest()
        request.CopyFrom(self._request)
        request.cursor = self.cursor or ""
        policy = self._policy
        limits = {"connect_seconds": policy.connect_seconds, "silence_seconds": policy.silence_seconds}
        self._stream = stream = Stream(self._endpoint, request, **limits)
        if self._closing.is_set():  # by a thread that did not see this stream
            stream.close()
        return stream

    def _handed_out(self, stream: Stream) -> Iterator[Event]:
        while not self._closing.is_set():
            message = stream.receive()
            if self._persistence.hear(has_data=bool(message.events)):
                self._streams += 1
            for told in message.events:
                if self._closing.is_set():
                    return
                yield self._noted(event_of(told))
            self.cursor = message.cursor or self.cursor
            self.is_live = self.is_live or message.live

    def _noted(self, event: Event) -> Event:
        self.cursor = event.cursor
        self._existing += event.existing
        self._new += not event.existing
        return event

    def _wait_after(self, ended: StreamEnded) -> None:
        """Wait until another stream may be asked for. Raises the failure where none may."""
        failure = ended.failure
        if not ended.can_resume:
            self._stop_clock()
            raise failure from None
        self.cursor = self.cursor or ended.cursor or None  # the server's counts only where we have heard nothing
        delay_seconds = self._persistence.fail(_pause_asked_by(failure))
        if delay_seconds is None:
            self._stop_clock()
            failure.message += f"; given up after {self._persistence.failures} failures in a row"
            raise failure from None
        if self._on_reconnect is not None:
            in_a_row = self._persistence.failures
            self._on_reconnect(Reconnecting(failure=failure, failures_in_a_row=in_a_row, delay_seconds=delay_seconds))
        self._closing.wait(delay_seconds)

    def _stop_clock(self) -> None:
        if self._ended is None:
            self._ended = self._clock()


def _pause_asked_by(failure: Failure) -> float | None:
    return failure.retry_after_seconds if isinstance(failure, Postponed | Unavailable) else None
