"""One batch of the outbox, and the loop of a relay, with a publisher that is played by a list."""

import time
from collections.abc import Iterable
from typing import cast

import pytest

from payments.failures import (
    CircuitOpen,
    DatabaseAway,
    MessageTooLarge,
    PublishFailed,
    PublishRefused,
    UnknownTopic,
)
from payments.flows.relay import Relayed, relay_batch
from payments.ledger.database import Database
from payments.ledger.outbox import Outbox
from payments.resilience.exchange import Exchange
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from payments.streams.publisher import Outgoing, StreamPublisher
from tests.integration.flows.relays import Publisher, Running, wait_until, write

FAILED = PublishFailed("_MSG_TIMED_OUT", code="publish_failed", service="kafka", operation="produce")


def relayed(outbox: Outbox, publisher: Publisher, batch_size: int, resting: Iterable[str] = ()) -> Relayed:
    return relay_batch(outbox, cast("StreamPublisher", publisher), batch_size, resting=resting)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


# -- one batch ---------------------------------------------------------------------------------------------------------


def test_the_outbox_is_sent_in_its_order_and_then_empty(outbox: Outbox, database: Database) -> None:
    write(database, 1, 25)
    publisher = Publisher()
    assert [relayed(outbox, publisher, 10).sent for _ in range(4)] == [10, 10, 5, 0]
    assert publisher.keys() == [str(number) for number in range(1, 26)]
    assert publisher.sent[0] == Outgoing(topic="events", key=b"1", value=b'{"n": 1}')
    assert outbox.waiting(10) == []


def test_what_was_not_confirmed_is_not_forgotten(outbox: Outbox, database: Database) -> None:
    write(database, 1, 5)
    publisher = Publisher(failures=[FAILED], taken_before=2)
    assert relayed(outbox, publisher, 10).failures == {"events": FAILED}
    assert len(outbox.waiting(10)) == 5
    assert relayed(outbox, publisher, 10).sent == 5
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


def test_a_letter_that_can_never_be_sent_is_buried_and_the_others_go_once(outbox: Outbox, database: Database) -> None:
    write(database, 1, 5)
    publisher = Picky(refused={"2", "4"}, unplaced=set())
    told = relayed(outbox, publisher, 10)
    assert (told.sent, [each.letter.key for each in told.buried]) == (3, ["2", "4"])
    assert publisher.keys() == ["1", "3", "5"]
    assert database.rows("SELECT origin, key, reason FROM dead_letters ORDER BY id") == [
        ("outbox", b"2", "message_too_large"),
        ("outbox", b"4", "message_too_large"),
    ]


def test_a_letter_is_never_buried_for_its_topic_and_the_others_go_once(outbox: Outbox, database: Database) -> None:
    write(database, 1, 5)
    publisher = Picky(refused={"4"}, unplaced={"2"})
    for _ in range(3):
        assert isinstance(relayed(outbox, publisher, 10).failures["events"], UnknownTopic)
    assert publisher.keys() == ["1", "3", "5"]
    assert [letter.key for letter in outbox.waiting(10)] == ["2", "4"]
    publisher.unplaced = set()
    assert relayed(outbox, publisher, 10).sent == 1
    assert publisher.keys() == ["1", "3", "5", "2"]
    assert [letter.topic for letter in outbox.waiting(10)] == ["events.dlq"]  # which tells of the refused one


def test_what_was_confirmed_behind_something_unconfirmed_of_its_key_is_sent_again_after_it(
    outbox: Outbox, database: Database
) -> None:
    write(database, 1, 6, keys=2)
    failure = UnknownTopic("no such topic")
    failure.unconfirmed = frozenset({2})
    publisher = Publisher(failures=[failure])
    relayed(outbox, publisher, 10)
    assert [letter.payload for letter in outbox.waiting(10)] == [b'{"n": 3}', b'{"n": 5}']


def test_a_topic_that_takes_nothing_does_not_hold_the_other_up(outbox: Outbox, database: Database) -> None:
    write(database, 1, 3, topic="away")
    write(database, 4, 6, topic="there")
    publisher = Publisher(failing_topics={"away"})
    told = relayed(outbox, publisher, 10)
    assert (told.sent, set(told.failures), told.well) == (3, {"away"}, ("there",))
    assert publisher.keys() == ["4", "5", "6"]


def test_a_topic_that_rests_is_not_even_read(outbox: Outbox, database: Database) -> None:
    write(database, 1, 30, topic="away")
    write(database, 31, 32, topic="there")
    publisher = Publisher()
    told = relayed(outbox, publisher, 10, resting=["away"])
    assert (told.read, publisher.keys()) == (2, ["31", "32"])


# -- the loop ----------------------------------------------------------------------------------------------------------


def test_a_relay_sends_what_is_there_and_what_comes_and_stops_when_told(database: Database, database_url: str) -> None:
    write(database, 1, 3)
    with Running(database, database_url, Publisher()) as relay:
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3"])
        write(database, 4, 4)
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3", "4"])
    assert relay.told == ["relay_started", "relay_lanes", "publisher_report", "relay_stopped"]


def test_a_relay_goes_on_after_a_failure(database: Database, database_url: str) -> None:
    write(database, 1, 3)
    with Running(database, database_url, Publisher(failures=[FAILED])) as relay:
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3"])
    assert relay.told.count("relay_failed") == 1


def test_a_relay_goes_on_when_its_ledger_is_back(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_told: object) -> None:
        raise DatabaseAway("no answer", service="database")

    write(database, 1, 3)
    with Running(database, database_url, Publisher()) as relay, monkeypatch.context() as outage:
        outage.setattr(relay.outbox, "waiting", away)
        write(database, 4, 4)
        assert wait_until(lambda: "relay_failed" in relay.told)
        assert wait_until(lambda: relay.troubles() == {"database away"})
        outage.undo()
        assert wait_until(lambda: relay.publisher.keys()[-1:] == ["4"])
        assert wait_until(lambda: relay.troubles() == set())


def test_an_event_that_cannot_be_published_stays_in_the_outbox_until_the_breaker_lets_it_through(
    database: Database, database_url: str
) -> None:
    policy = BreakerPolicy(consecutive_failures=1, open_seconds=1.0, successes=1)
    switchboard = Switchboard(Exchange(None, _silent), {"default": policy}, _silent)

    class Shielded(Publisher):
        def send(self, messages: Iterable[Outgoing]) -> int:
            with switchboard.breaker("kafka").call():
                return super().send(messages)

    write(database, 1, 3)
    with Running(database, database_url, Shielded(failures=[FAILED])) as relay:
        assert wait_until(lambda: relay.publisher.keys() == ["1", "2", "3"])
    assert relay.told[:3] == ["relay_started", "relay_lanes", "relay_failed"]
    assert set(relay.told[3:-2]) <= {"relay_waits"}


def test_an_open_breaker_of_the_ledger_is_no_fault_of_a_topic(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_breaker(*_told: object) -> None:
        raise CircuitOpen("the breaker is open", retry_after_seconds=0.1, service="database")

    with Running(database, database_url, Publisher()) as relay, monkeypatch.context() as outage:
        outage.setattr(relay.outbox, "waiting", open_breaker)
        assert wait_until(lambda: "relay_waits" in relay.told)
        assert relay.desk.topics.resting(time.monotonic()) == ()


def _silent(*_told: object, **_fields: object) -> None:
    pass


def test_an_outage_is_told_once_and_so_is_its_end(database: Database, database_url: str) -> None:
    write(database, 1, 3)
    publisher = Publisher(failing_topics={"events"})
    with Running(database, database_url, publisher, alert_seconds=0.2) as relay:
        assert wait_until(lambda: "publisher_outage" in relay.told)
        assert wait_until(lambda: relay.told.count("relay_failed") > 3)
        assert relay.troubles() == {"events takes nothing", "Kafka away"}
        publisher.failing_topics.clear()
        assert wait_until(lambda: relay.told[-1:] == ["publisher_recovered"])
        assert relay.troubles() == set()
    assert relay.told.count("publisher_outage") == 1
    assert publisher.keys() == ["1", "2", "3"]


def test_where_nothing_waits_any_more_an_outage_is_over(database: Database, database_url: str) -> None:
    write(database, 1, 3)
    with Running(database, database_url, Publisher(failing_topics={"events"}), alert_seconds=0.2) as relay:
        assert wait_until(lambda: "publisher_outage" in relay.told)
        database.run("DELETE FROM outbox")
        assert wait_until(lambda: relay.told[-1:] == ["publisher_recovered"])


def test_a_relay_is_woken_by_what_is_written(database: Database, database_url: str) -> None:
    with Running(database, database_url, Publisher(), timer_seconds=3.0) as relay:
        for number in range(1, 4):
            relay.waits_for_bell.clear()
            assert relay.waits_for_bell.wait(5.0)
            write(database, number, number)
            assert wait_until(lambda: len(relay.publisher.sent) == number, deadline_seconds=1.5)  # noqa: B023


def test_what_others_are_told_of_is_outdated_in_the_cache_before_and_also_while_kafka_takes_nothing(
    outbox: Outbox, database: Database
) -> None:
    database.run(
        "INSERT INTO outbox (topic, key, payload) VALUES ('events', 'stripe:p1', '{\"revision\": 1}'),"
        " ('events', 'stripe:p2', '{\"revision\": 4}'), ('events', 'stripe:p1', '{\"revision\": 2}'),"
        " ('payments.raw.dlq', '17', '{\"id\": 17}')"
    )
    publisher, seen = Publisher(failures=[FAILED]), []
    taken = cast("StreamPublisher", publisher)
    relay_batch(outbox, taken, 10, outdate=lambda told: seen.append((dict(told), len(publisher.sent))))
    assert seen == [({"stripe:p1": 2, "stripe:p2": 4}, 0)]
