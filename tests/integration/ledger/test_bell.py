"""The bell rings soon after a commit, survives its connection, and never raises."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import Rollback

from payments.ledger.bell import NEWS, Bell
from payments.ledger.database import Database, DatabasePolicy

POLICY = DatabasePolicy(pool_size=1, connect_timeout_seconds=3, statement_timeout_ms=10_000)
LONG = 10.0
SOON = 5.0
"""Well below LONG: it rang, and did not run out."""


@pytest.fixture
def bell(database: Database, database_url: str) -> Iterator[Bell]:
    del database  # it is there
    made = Bell(database_url, POLICY, NEWS)
    assert made.wait(0.0)  # it listens from now on
    yield made
    made.close()


def rings(bell: Bell, cause: Callable[[], object]) -> bool:
    """Return whether it rings soon after `cause`."""
    with ThreadPoolExecutor(1) as pool:
        since = time.monotonic()
        heard = pool.submit(bell.wait, LONG)
        cause()
        return heard.result() and time.monotonic() - since < SOON


def write(database: Database) -> None:
    database.run("INSERT INTO outbox (topic, key, payload) VALUES ('events', 'k', '{}')")


def test_a_letter_in_the_outbox_rings(bell: Bell, database: Database) -> None:
    assert rings(bell, lambda: write(database))
    assert not bell.wait(0.05)


def test_what_rang_while_nobody_waited_is_heard_by_the_next_wait(bell: Bell, database: Database) -> None:
    write(database)
    assert bell.wait(LONG)


def test_it_does_not_ring_for_what_is_rolled_back(bell: Bell, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO outbox (topic, key, payload) VALUES ('events', 'k', '{}')")
        raise Rollback
    assert not bell.wait(0.05)


def test_of_transactions_at_once_one_carries_the_bell_and_none_waits_for_it(bell: Bell, database: Database) -> None:
    with database.transaction() as first:
        first.execute("INSERT INTO outbox (topic, key, payload) VALUES ('events', 'k', '{}')")
        write(database)  # commits at once, without the bell
        assert not bell.wait(0.05)
    assert bell.wait(LONG)


def test_a_bell_whose_connection_is_lost_makes_another_and_rings_for_what_it_missed(
    bell: Bell, database: Database
) -> None:
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    assert bell.wait(LONG)
    assert rings(bell, lambda: write(database))


def test_a_database_that_is_away_takes_the_whole_wait_and_raises_nothing() -> None:
    bell = Bell("postgresql://postgres@127.0.0.1:1/nowhere", POLICY, NEWS)
    since = time.monotonic()
    assert not bell.wait(0.1)
    assert time.monotonic() - since >= 0.1


def test_a_bell_that_is_closed_can_be_waited_for_again(bell: Bell, database: Database) -> None:
    bell.close()
    assert bell.wait(0.0)
    assert rings(bell, lambda: threading.Timer(0.0, write, [database]).run())
