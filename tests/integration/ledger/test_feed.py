"""The feed, on real transactions: in which order it is read, what is forgotten, and what a restored database does."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from payments.event import Kind
from payments.ledger.bell import NEWS, Bell
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.feed import Change, Feed, Position, Purged
from payments.ledger.schema import migrate
from payments.ledger.settlements import Decline
from payments.ledger.state import State
from payments.ledger.views import PaymentViews
from payments.view import PaymentFilter
from tests.builders import OCCURRED_AT, an_event
from tests.integration.api.till import Till
from workers.embedded.postgres import Postgres

START = Position(0)


@pytest.fixture
def feed(database: Database) -> Feed:
    return Feed(database)


@pytest.fixture
def till(database: Database) -> Till:
    return Till(database)


def read(feed: Feed, after: Position = START, limit: int = 100) -> list[Change]:
    stretch = feed.after(after, limit)
    assert not isinstance(stretch, Purged)
    return [*stretch.changes]


def names(changes: list[Change]) -> list[str]:
    return [change.view.payment_id for change in changes]


def test_each_booked_change_is_a_row_of_its_own_with_the_payment_as_it_was_then(feed: Feed, till: Till) -> None:
    till.captured("p1", customer_reference="cus_1", customer_email="jo@example.com")
    till.refunded("p1", "re_1", 300)
    till.settle(an_event("evt_no", Kind.FAILED, "p2"), State.DECLINED, Decline("card_declined", "do_not_honor"))
    captured, refunded, declined = read(feed)
    assert (captured.kind, captured.ending, captured.occurred_at) == ("captured", "settled", OCCURRED_AT)
    assert (captured.view.status, captured.view.refunded_minor, captured.view.revision) == ("completed", 0, 1)
    assert (refunded.view.status, refunded.view.refunded_minor) == ("partially_refunded", 300)
    assert refunded.view.revision == 2
    assert refunded.view.created_at == captured.view.created_at < refunded.view.updated_at
    assert (captured.view.customer_reference, captured.view.customer_email) == ("cus_1", "jo@example.com")
    assert (declined.ending, declined.decline_kind, declined.decline_code) == (
        "declined",
        "card_declined",
        "do_not_honor",
    )


def test_reading_on_from_any_change_gives_the_rest_whatever_the_step(feed: Feed, till: Till) -> None:
    till.captured(*(f"p{number}" for number in range(7)))
    for step in (1, 3, 100):
        found, position = [], START
        while changes := read(feed, position, step):
            found += names(changes)
            position = changes[-1].position
        assert found == [f"p{number}" for number in range(7)]


@pytest.fixture
def slow(database_url: str) -> Iterator[psycopg.Connection]:
    """A transaction that has a number and does not end yet."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_current_xact_id()")
        yield connection


def test_nothing_is_told_before_what_is_older_has_ended(feed: Feed, till: Till, slow: psycopg.Connection) -> None:
    before = feed.end()
    till.captured("p1")
    stretch = feed.after(before, 100)
    assert not isinstance(stretch, Purged)
    assert (stretch.changes, stretch.reached) == ((), before)
    slow.commit()
    assert names(read(feed, before)) == ["p1"]


def test_what_is_settled_after_a_crash_is_told_though_it_has_the_number_of_one_that_was_undone(
    own_postgres: Postgres,
) -> None:
    with opened(own_postgres) as database:
        feed = Feed(database)
        Till(database).captured("before")
        begun = feed.end()
        with psycopg.connect(own_postgres.url, autocommit=True) as other:
            for _ in range(50):
                other.execute("BEGIN; SELECT pg_current_xact_id(); ROLLBACK")
            stretch = feed.after(begun, 100)
        assert not isinstance(stretch, Purged)
        reached, end = stretch.reached, feed.end()
    own_postgres.kill()
    own_postgres.start()
    with opened(own_postgres) as database:
        Till(database).captured("after")
        assert names(read(Feed(database), reached)) == ["after"]
        assert names(read(Feed(database), end)) == ["after"]


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server of this test's own, which it may kill."""
    with Postgres() as server:
        migrate(server.url)
        yield server


@contextmanager
def opened(server: Postgres) -> Iterator[Database]:
    policy = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=5000)
    with closing(Database(server.url, policy)) as database:
        yield database


def test_whoever_has_read_everything_reads_on_though_all_of_it_is_forgotten(
    feed: Feed, till: Till, database: Database
) -> None:
    till.captured("p1", "p2")
    read_up_to = feed.end()
    database.run("UPDATE payment_events SET settled_at = now() - interval '8 days'")
    assert feed.purge(7 * 86_400.0, 10) == 2
    begun_later = feed.end()
    till.captured("p3")
    for position in (read_up_to, begun_later):
        assert names(read(feed, position)) == ["p3"]


def test_what_cannot_be_read_yet_is_not_forgotten(
    feed: Feed, till: Till, database: Database, slow: psycopg.Connection
) -> None:
    till.captured("p1")
    database.run("UPDATE payment_events SET settled_at = now() - interval '8 days'")
    assert feed.purge(7 * 86_400.0, 10) == 0
    slow.commit()
    assert names(read(feed)) == ["p1"]


def test_writers_side_by_side_leave_no_gap_for_a_reader_that_reads_all_the_time(feed: Feed, database: Database) -> None:
    def write(writer: int) -> None:
        till = Till(database)
        till.captured(*(f"w{writer}-{number}" for number in range(40)))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in writers:
        each.start()
    found, position = [], START
    while any(each.is_alive() for each in writers) or feed.end() > position:
        stretch = feed.after(position, 7)
        assert not isinstance(stretch, Purged)
        found += names([*stretch.changes])
        position = stretch.reached
    assert len(found) == 160
    for writer in range(4):
        own = [name for name in found if name.startswith(f"w{writer}-")]
        assert own == [f"w{writer}-{number}" for number in range(40)]


def test_what_is_forgotten_is_said_to_be(feed: Feed, till: Till, database: Database) -> None:
    till.captured("p1", "p2", "p3")
    changes = read(feed)
    database.run("UPDATE payment_events SET settled_at = now() - interval '8 days' WHERE payment_id <> 'p3'")
    assert [feed.purge(7 * 86_400.0, 1) for _ in range(4)] == [1, 1, 0, 0]
    assert isinstance(feed.after(START, 10), Purged)
    assert isinstance(feed.after(changes[0].position, 10), Purged)
    assert names(read(feed, changes[1].position)) == ["p3"]


def test_a_restored_database_begins_a_new_numbering_and_tells_everything_in_its_order(
    feed: Feed, till: Till, database: Database, database_url: str
) -> None:
    till.captured("p1", "p2")
    till.refunded("p1", "re_1")
    epoch = feed.epoch()
    migrate(database_url)
    assert feed.epoch() == epoch
    # as in a server whose transactions have lower numbers
    database.run("UPDATE payment_events SET txid = (txid::TEXT::BIGINT + 4000000000)::TEXT::xid8")
    assert read(feed) == []
    migrate(database_url)
    assert feed.epoch() != epoch
    assert names(read(feed)) == ["p1", "p2", "p1"]
    till.captured("p3")
    assert names(read(feed)) == ["p1", "p2", "p1", "p3"]


def test_a_change_rings(till: Till, database_url: str) -> None:
    policy = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=5000)
    bell = Bell(database_url, policy, NEWS)
    assert bell.wait(1.0)  # its connection is new
    ringing = threading.Timer(0.1, till.captured, ("p1",))
    ringing.start()
    assert bell.wait(10.0)
    ringing.join()
    bell.close()


def test_a_worker_of_the_version_before_writes_no_feed_and_what_it_books_is_told_all_the_same(
    feed: Feed, till: Till, database: Database
) -> None:
    [call] = till.bring_in([an_event("evt_old", Kind.CAPTURED, "p1")])
    with database.transaction() as old:
        old.execute("UPDATE inbox SET state = 'settled', finished_at = now() WHERE id = %s", (call,))
        old.execute(
            "INSERT INTO payments (ordering_key, provider, payment_id, status, currency, amount_minor, captured_minor,"
            " refunded_total_minor, refunds, disputes, version)"
            " VALUES ('stripe:p1', 'stripe', 'p1', 'completed', 'EUR', 1000, 1000, 0, '{}', '{}', 1)"
        )
    boundary = feed.end().next_txid
    database.run("UPDATE payments SET refunds = '{\"re_1\": 400}', status = 'partially_refunded', version = 2")
    first, second = read(feed)
    assert (first.event_id, first.kind, first.ending, first.view.revision) == ("evt_old", "captured", "settled", 1)
    assert first.occurred_at == OCCURRED_AT
    assert (second.event_id, second.view.refunded_minor, second.view.revision) == ("", 400, 2)
    assert PaymentViews(database).settled_before(boundary, PaymentFilter(), 10) == []


def test_a_settlement_is_told_once(feed: Feed, till: Till) -> None:
    till.captured("p1")
    till.refunded("p1", "re_1")
    assert len(read(feed)) == 2


def test_a_position_that_the_server_has_never_reached_is_lost(feed: Feed, till: Till) -> None:
    till.captured("p1")
    [change] = read(feed)
    ahead = Position(change.position.txid + 1_000_000, 1)  # as told by a server that is no more
    assert isinstance(feed.after(ahead, 10), Purged)
    assert read(feed, change.position) == []
