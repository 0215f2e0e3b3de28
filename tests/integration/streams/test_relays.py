"""Relays side by side, killed at random, and without a broker: nothing is missing, and each key is in its order."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from typing import NamedTuple

import pytest

from config.settings import Settings
from payments import wiring
from payments.ledger.database import Database
from tests.integration.kafka import eventually
from tests.integration.streams.conftest import Configure
from tests.integration.streams.outbound import Relaying, RelayProcess, assert_all_in_order, left, read, write
from workers.embedded.kafka_mock import KafkaMock

pytestmark = pytest.mark.alone

SECONDS = 30.0
"""Until when something must have come true that takes some seconds at most."""


@pytest.mark.parametrize("count", [2, 5])
def test_relays_side_by_side_share_the_work_and_keep_the_order_of_each_key(
    settings: Settings, database: Database, topic: str, count: int
) -> None:
    with ExitStack() as running:
        relays = [running.enter_context(Relaying(settings)) for _ in range(count)]
        eventually(lambda: sum(relay.lanes for relay in relays) == 16, "all lanes are shared out", SECONDS)
        eventually(lambda: min(relay.lanes for relay in relays) == 16 // count, "evenly", SECONDS)
        for first in range(1, 4001, 50):
            write(database, topic, first, first + 49)
        eventually(lambda: not left(database), "the outbox is sent", SECONDS)
    assert assert_all_in_order(read(settings, topic), 4000) == 0
    assert all(relay.told.of("publisher_report")[-1]["published"] for relay in relays)


def test_of_relays_that_come_and_go_none_sends_out_of_turn(settings: Settings, database: Database, topic: str) -> None:
    with ExitStack() as running:
        running.enter_context(Relaying(settings))
        for round_ in range(3):
            with Relaying(settings) as guest:
                write(database, topic, round_ * 1000 + 1, round_ * 1000 + 500)
                eventually(lambda: guest.lanes == 8, "the guest has its share", SECONDS)
                write(database, topic, round_ * 1000 + 501, round_ * 1000 + 1000)
        eventually(lambda: not left(database), "the outbox is sent", SECONDS)
    assert assert_all_in_order(read(settings, topic), 3000) == 0


def test_of_relays_that_are_killed_at_random_no_event_is_missing(
    settings: Settings, database: Database, database_url: str, topic: str
) -> None:
    variables = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers}
    random = Random(5)  # noqa: S311 - dice
    with ExitStack() as running:
        relays = [RelayProcess(variables) for _ in range(3)]
        running.callback(lambda: [relay.kill() for relay in relays])
        eventually(lambda: _present(database) == 3, "all relays are at work", SECONDS)
        number = 0
        for _ in range(8):
            until = time.monotonic() + random.uniform(0.2, 1.0)  # a new one needs about a second to be at work
            while time.monotonic() < until:
                write(database, topic, number + 1, number + 10)
                number += 10
                time.sleep(0.004)  # a mock broker drops without a word what is over 5 MiB a partition
            place = random.randrange(len(relays))
            relays[place].kill()
            relays[place] = RelayProcess(variables)
        eventually(lambda: not left(database), "the outbox is sent", SECONDS)
    assert_all_in_order(read(settings, topic), number)


def test_the_lanes_of_a_relay_that_is_killed_are_another_s_within_seconds(
    settings: Settings, database: Database, database_url: str, topic: str
) -> None:
    dying = RelayProcess({"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers})
    try:
        eventually(lambda: _present(database) == 1, "it is at work", SECONDS)
        with Relaying(settings) as survivor:
            eventually(lambda: survivor.lanes == 8, "they share", SECONDS)
            dying.kill()
            eventually(lambda: survivor.lanes == 16, "the survivor has all", 5.0)
            write(database, topic, 1, 100)
            eventually(lambda: not left(database), "and sends all", SECONDS)
    finally:
        dying.kill()


@pytest.mark.slow
def test_a_relay_that_is_frozen_loses_its_lanes_within_a_minute_and_does_no_harm_after(
    settings: Settings, database: Database, database_url: str, topic: str
) -> None:
    frozen = RelayProcess({"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers})
    try:
        eventually(lambda: _present(database) == 1, "it is at work", SECONDS)
        with Relaying(settings) as survivor:
            eventually(lambda: survivor.lanes == 8, "they share", SECONDS)
            for first in range(1, 3001, 10):
                if first == 1501:
                    frozen.freeze()
                write(database, topic, first, first + 9)
            eventually(lambda: not left(database), "the survivor sends what the frozen one held", 90.0)
            frozen.thaw()
            eventually(lambda: survivor.lanes == 8, "they share again", SECONDS)
            write(database, topic, 3001, 4000)
            eventually(lambda: not left(database), "and go on", SECONDS)
    finally:
        frozen.kill()
    assert_all_in_order(read(settings, topic), 4000)


def _present(database: Database) -> int:
    """Return how many relays of this database there are."""
    row = database.row(
        """
        SELECT count(*)
          FROM pg_locks
          JOIN pg_database ON pg_database.oid = database
         WHERE locktype = 'advisory'
           AND mode = 'ShareLock'
           AND datname = current_database()
        """
    )
    assert row is not None
    return int(row[0])


# -- without a broker --------------------------------------------------------------------------------------------------


@pytest.fixture
def mock() -> Iterator[KafkaMock]:
    """A broker of this test's own, which it may take away."""
    with KafkaMock() as server:
        yield server


class Away(NamedTuple):
    """For how long the broker is away, after how long a person is told, and how long a delivery may take."""

    seconds: float
    alert_seconds: float
    delivery_seconds: float


@pytest.mark.parametrize(
    "away",
    [
        pytest.param(Away(2.0, 1.0, 1.0), id="some-seconds"),
        pytest.param(Away(60.0, 20.0, 10.0), id="a-minute", marks=pytest.mark.slow),
    ],
)
def test_while_the_broker_is_away_nothing_is_lost_and_a_person_is_told_once(
    configure: Configure,
    database: Database,
    database_url: str,
    mock: KafkaMock,
    monkeypatch: pytest.MonkeyPatch,
    away: Away,
) -> None:
    monkeypatch.setattr(wiring, "_RELAY_DELIVERY_SECONDS", away.delivery_seconds)
    settings = configure(
        DATABASE_URL=database_url,
        KAFKA_BOOTSTRAP_SERVERS=mock.bootstrap_servers,
        KAFKA_OUTAGE_ALERT_SECONDS=str(away.alert_seconds),
        PAYFERRY_POLICY__BREAKERS__KAFKA__OPEN_SECONDS=str(away.delivery_seconds),
    )
    number = 500
    with Relaying(settings) as relay:
        write(database, "events", 1, number)
        eventually(lambda: not left(database), "it sends while the broker is there", SECONDS)
        mock.set_down()
        until = time.monotonic() + away.seconds
        while time.monotonic() < until or not relay.told.of("publisher_outage"):
            write(database, "events", number + 1, number + 20)
            number += 20
            time.sleep(0.1)  # traffic goes on
            assert time.monotonic() < until + SECONDS
        mock.set_up()
        eventually(lambda: not left(database), "all is sent once the broker is back", 60.0)
        eventually(lambda: relay.told.of("publisher_recovered"), "the end is told", SECONDS)
    assert_all_in_order(read(settings, "events"), number)
    [outage] = relay.told.of("publisher_outage")
    assert outage["topic"] == "events"
    [recovered] = relay.told.of("publisher_recovered")
    assert float(str(recovered["seconds"])) >= away.seconds - away.delivery_seconds


def test_a_topic_that_cannot_be_written_does_not_hold_the_other_up(
    configure: Configure, database: Database, database_url: str, mock: KafkaMock
) -> None:
    mock.create_topic("locked", 1)
    mock.set_topic_error("locked", 29)  # TOPIC_AUTHORIZATION_FAILED in Kafka's protocol
    settings = configure(DATABASE_URL=database_url, KAFKA_BOOTSTRAP_SERVERS=mock.bootstrap_servers)
    with Relaying(settings) as relay:
        write(database, "locked", 1, 1000)
        for first in range(1, 2001, 100):
            write(database, "events", first, first + 99)
        eventually(lambda: left(database) == 1000, "the other topic is sent", SECONDS)
        assert {str(told["code"]) for told in relay.told.of("relay_failed")} == {"kafka_unauthorized"}
        mock.set_topic_error("locked", 0)
        eventually(lambda: not left(database), "what rested is sent as well", SECONDS)
    for topic, count in (("locked", 1000), ("events", 2000)):
        assert assert_all_in_order(read(settings, topic), count) == 0
    assert database.row("SELECT count(*) FROM dead_letters") == (0,)
