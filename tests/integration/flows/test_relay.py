import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, Self, cast

import pytest

from payments.failures import MessageTooLarge, PublishFailed, PublishRefused, UnknownTopic
from payments.flows.relay import relay_batch
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.outbox import Outbox
from payments.resilience.exchange import Exchange
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from payments.streams.publisher import Outgoing, StreamPublisher
from workers.relay import Relay

FAILED = PublishFailed("_MSG_TIMED_OUT", code="publish_failed", service="kafka", operation="produce")


class Publisher:
    """Takes messages in place of Kafka; fails as often as it is told to, after so many of a batch were taken."""

    def __init__(self, *, failures: int = 0, taken_before: int = 0) -> None:
        self.sent: list[Outgoing] = []
        self.failures = failures
        self.taken_before = taken_before

    def send(self, messages: Iterable[Outgoing]) -> int:
        batch = list(messages)
        if self.failures:
            self.failures -= 1
            self.sent += batch[: self.taken_before]
            raise FAILED
        self.sent += batch
        return len(batch)

    def keys(self) -> list[str]:
        return [message.key.decode() for message in self.sent]


def relayed(outbox: Outbox, publisher: Publisher, batch_size: int) -> int:
    return relay_batch(outbox, cast("StreamPublisher", publisher), batch_size)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


def write(database: Database, first: int, last: int) -> None:
    database.run(
        """
        INSERT INTO outbox (topic, key, payload)
        SELECT 'events', n::TEXT, jsonb_build_object('n', n)
          FROM generate_series(%(first)s::INT, %(last)s::INT) AS told (n)
        """,
        {"first": first, "last": last},
    )


def test_the_outbox_is_sent_in_its_order_and_then_empty(outbox: Outbox, database: Database) -> None:
    write(database, 1, 25)
    publisher = Publisher()
    assert [relayed(outbox, publisher, 10) for _ in range(4)] == [10, 10, 5, 0]
    assert publisher.keys() == [str(number) for number in range(1, 26)]
    assert publisher.sent[0] == Outgoing(topic="events", key=b"1", value=b'{"n": 1}')
    assert outbox.waiting(10) == []


def test_what_was_not_confirmed_is_not_forgotten(outbox: Outbox, database: Database) -> None:
    write(database, 1, 5)
    publisher = Publisher(failures=1, taken_before=2)
    with pytest.raises(PublishFailed):
        relayed(outbox, publisher, 10)
    assert len(outbox.waiting(10)) == 5
    assert relayed(outbox, publisher, 10) == 5
    assert publisher.keys() == ["1", "2", "1", "2", "3", "4", "5"]


class Picky(Publisher):
    """Refuses some keys for good, and cannot place others now."""

    def __init__(self, *, refused: set[str], unplaced: set[str]) -> None:
        super().__init__()
        self.refused = refused
        self.unplaced = unplaced

    def send(self, messages: Iterable[Outgoing]) -> int:
        batch = list(messages)
        places = {place: message.key.decode() for place, message in enumerate(batch)}
        self.sent += [message for place, message in enumerate(batch) if places[place] not in self._unsent]
        left = frozenset(place for place, key in places.items() if key in self._unsent)
        if not left:
            return len(batch)
        failure: PublishRefused | PublishFailed = UnknownTopic("no such topic")
        if any(places[place] in self.refused for place in left):
            failure = MessageTooLarge("too large")
        failure.unconfirmed = left
        raise failure

    @property
    def _unsent(self) -> set[str]:
        return self.refused | self.unplaced


def test_a_letter_that_can_never_be_sent_is_set_aside_and_the_others_go_once(
    outbox: Outbox, database: Database
) -> None:
    write(database, 1, 5)
    publisher = Picky(refused={"2", "4"}, unplaced=set())
    assert relayed(outbox, publisher, 10) == 5
    assert publisher.keys() == ["1", "3", "5"]
    assert outbox.waiting(10) == []
    assert database.row("SELECT count(*) FROM outbox WHERE refused IS NOT NULL") == (2,)


def test_a_letter_is_never_set_aside_for_its_topic_and_the_others_go_once(outbox: Outbox, database: Database) -> None:
    write(database, 1, 5)
    publisher = Picky(refused={"4"}, unplaced={"2"})
    for _ in range(3):
        with pytest.raises(UnknownTopic):
            relayed(outbox, publisher, 10)
    assert publisher.keys() == ["1", "3", "5"]
    assert [letter.key for letter in outbox.waiting(10)] == ["2", "4"]
    publisher.unplaced = set()
    assert relayed(outbox, publisher, 10) == 2
    assert publisher.keys() == ["1", "3", "5", "2"]
    assert outbox.waiting(10) == []


# -- the loop ----------------------------------------------------------------------------------------------------------


class Running:
    """A relay in a thread, with what it sent and said."""

    def __init__(self, outbox: Outbox, publisher: Publisher) -> None:
        self.publisher = publisher
        self.told: list[str] = []
        self._relay = Relay(outbox, cast("StreamPublisher", publisher), self._tell)
        self._thread = threading.Thread(target=self._relay.run, daemon=True)

    def _tell(self, name: str, **_fields: Any) -> None:  # noqa: ANN401 - any field of a log event
        self.told.append(name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._relay.stop()
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()


def wait_until(condition: Callable[[], bool], deadline_seconds: float = 10.0) -> bool:
    """Return whether it came true in time."""
    until = time.monotonic() + deadline_seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)  # between two looks
    return condition()


def test_a_relay_sends_what_is_there_and_what_comes_and_stops_when_told(outbox: Outbox, database: Database) -> None:
    write(database, 1, 3)
    with Running(outbox, Publisher()) as relay:
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3"])
        write(database, 4, 4)
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3", "4"])
    assert relay.told == ["relay_started", "relay_stopped"]


def test_a_relay_goes_on_after_a_failure(outbox: Outbox, database: Database) -> None:
    write(database, 1, 3)
    with Running(outbox, Publisher(failures=1)) as relay:
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3"])
    assert relay.told == ["relay_started", "relay_failed", "relay_stopped"]


def test_an_event_that_cannot_be_published_stays_in_the_outbox_until_the_breaker_lets_it_through(
    outbox: Outbox, database: Database
) -> None:
    policy = BreakerPolicy(consecutive_failures=1, open_seconds=1.0, successes=1)
    switchboard = Switchboard(Exchange(None, _silent), {"default": policy}, _silent)

    class Shielded(Publisher):
        def send(self, messages: Iterable[Outgoing]) -> int:
            with switchboard.breaker("kafka").call():
                return super().send(messages)

    write(database, 1, 3)
    with Running(outbox, Shielded(failures=1)) as relay:
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3"])
    assert relay.told[:2] == ["relay_started", "relay_failed"]
    assert set(relay.told[2:-1]) <= {"relay_waits"}


def _silent(*_told: object, **_fields: object) -> None:
    pass


def test_of_two_relays_one_sends_and_the_other_takes_over(outbox: Outbox, database: Database) -> None:
    with Running(outbox, Publisher()) as second:
        with Running(outbox, Publisher()) as first:
            write(database, 1, 3)
            assert wait_until(lambda: len(first.publisher.sent) + len(second.publisher.sent) == 3)
            assert [] in (first.publisher.sent, second.publisher.sent)
        write(database, 4, 4)
        assert wait_until(lambda: second.publisher.keys()[-1:] == ["4"])


def test_a_relay_whose_turn_was_lost_with_its_connection_stops_sending(
    outbox: Outbox, database: Database, database_url: str
) -> None:
    with Running(outbox, Publisher()) as first:
        write(database, 1, 1)
        assert wait_until(lambda: first.publisher.keys() == ["1"])
        policy = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=10_000)
        with closing(Database(database_url, policy)) as outside:
            outside.rows(_END_THE_TURN)
            with Outbox(outside).turn() as mine:
                assert mine
                write(database, 2, 2)
                assert not wait_until(lambda: len(first.publisher.sent) > 1, deadline_seconds=2.0)


_END_THE_TURN = """
SELECT pg_terminate_backend(pid)
  FROM pg_locks
  JOIN pg_database ON pg_database.oid = pg_locks.database
 WHERE locktype = 'advisory'
   AND datname = current_database()
"""
