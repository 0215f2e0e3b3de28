"""Relays in threads, with publishers that are played by lists."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, cast

from payments.failures import PublishFailed, PublishRefused, UnknownTopic
from payments.flows.relay import RelayDesk
from payments.ledger.bell import NEWS, Bell
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.lanes import Lanes
from payments.ledger.outbox import Outbox
from payments.log_events import LOG_EVENTS
from payments.streams.publisher import Outgoing, StreamPublisher
from payments.streams.publisher_report import PublisherReport, PublishTally
from payments.streams.topics import Topics
from workers.relay import Relay, RelayPolicy


class Publisher:
    """Takes messages in place of Kafka; fails as it is told to, after so many of a batch were taken."""

    def __init__(
        self,
        *,
        failures: Sequence[PublishFailed | PublishRefused] = (),
        taken_before: int = 0,
        failing_topics: Iterable[str] = (),
    ) -> None:
        self.sent: list[Outgoing] = []
        self.failures = list(failures)
        self.taken_before = taken_before
        self.failing_topics = set(failing_topics)
        self._tally = PublishTally()

    def send(self, messages: Iterable[Outgoing]) -> int:
        batch = list(messages)
        if self.failures:
            self.sent += batch[: self.taken_before]
            raise self.failures.pop(0)
        if any(message.topic in self.failing_topics for message in batch):
            raise UnknownTopic("no such topic", service="kafka")
        self.sent += batch
        self._tally.count(0.0, 0.0, len(batch), 0)
        return len(batch)

    def report(self) -> PublisherReport:
        return self._tally.report(0.0, "closed")

    def keys(self) -> list[str]:
        return [message.key.decode() for message in self.sent]


class Running:
    """A relay in a thread, with what it sent and said."""

    def __init__(
        self,
        database: Database,
        url: str,
        publisher: Publisher,
        alert_seconds: float = 600.0,
        timer_seconds: float = 1.0,
    ) -> None:
        self.publisher = publisher
        self.told: list[str] = []
        self.outbox = Outbox(database)
        self.waits_for_bell = threading.Event()
        self.desk = RelayDesk(
            outbox=self.outbox,
            lanes=Lanes(database),
            bell=_Watched(url, self.waits_for_bell),
            publisher=cast("StreamPublisher", publisher),
            topics=Topics(lambda _failures: 0.05, alert_seconds),
            tell=self._tell,
        )
        self._relay = Relay(self.desk, RelayPolicy(timer_seconds=timer_seconds, after_failure_seconds=0.1))
        self._thread = threading.Thread(target=self._relay.run, daemon=True)

    def _tell(self, name: str, **_fields: Any) -> None:  # noqa: ANN401 - any field of a log event
        if LOG_EVENTS[name].level != "debug":
            self.told.append(name)

    def troubles(self) -> set[str]:
        """Return what is in the relay's way, as its sign of life tells."""
        return set(self._relay.report().troubles)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._relay.stop()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


class _Watched(Bell):
    """The bell, which says when somebody waits for it."""

    def __init__(self, url: str, is_waited_for: threading.Event) -> None:
        super().__init__(url, _POLICY, NEWS)
        self._is_waited_for = is_waited_for

    def wait(self, seconds: float) -> bool:
        self._is_waited_for.set()
        return super().wait(seconds)


def write(database: Database, first: int, last: int, *, topic: str = "events", keys: int | None = None) -> None:
    """Write numbered messages, each with a key of its own or with one of so many."""
    database.run(
        """
        INSERT INTO outbox (topic, key, payload)
        SELECT %(topic)s, (CASE WHEN %(keys)s::INT IS NULL THEN n ELSE n %% %(keys)s END)::TEXT,
               jsonb_build_object('n', n)
          FROM generate_series(%(first)s::INT, %(last)s::INT) AS told (n)
        """,
        {"topic": topic, "keys": keys, "first": first, "last": last},
    )


def wait_until(condition: Callable[[], bool], deadline_seconds: float = 10.0) -> bool:
    """Return whether it came true in time."""
    until = time.monotonic() + deadline_seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)  # between two looks
    return condition()


_POLICY = DatabasePolicy(pool_size=3, connect_timeout_seconds=3, statement_timeout_ms=10_000)
