import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors

from payments.failures import ConstraintViolation
from payments.ledger.claims import Claims
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.schema import migrate
from payments.ledger.sweeps import Sweeps
from tests.builders import an_arrival, an_event
from workers.embedded.postgres import Postgres


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {row[0] for row in rows}


def test_a_second_migration_changes_nothing(database_url: str, database: Database) -> None:
    Inbox(database).receive([an_arrival(an_event())])
    before = tables(database_url)
    migrate(database_url)
    assert tables(database_url) == before
    assert database.row("SELECT count(*) FROM inbox") == (1,)


def test_many_who_migrate_an_empty_database_at_once_do_it_once(postgres: Postgres) -> None:
    url = postgres.fresh_database("migrated_by_many")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [url] * 4))
    assert {"inbox", "aliases", "payments", "entries", "outbox", "dead_letters", "beat_slots"} <= tables(url)


def test_nobody_waits_long_behind_a_migration_that_waits_for_a_reader(postgres: Postgres) -> None:
    url = postgres.fresh_database("migrated_beside_a_reader")
    migrate(url, "0005")
    with psycopg.connect(url) as reader, ThreadPoolExecutor() as pool:
        reader.execute("SELECT count(*) FROM inbox")  # holds the table until it commits
        migrating = pool.submit(migrate, url)
        with psycopg.connect(url, autocommit=True, options="-c statement_timeout=4s") as worker:
            for _ in range(3):
                worker.execute("SELECT 1 FROM inbox")
                time.sleep(1.0)  # well into the wait of the migration
        assert not migrating.done()
        reader.commit()
        migrating.result(30.0)
    with psycopg.connect(url) as connection:
        connection.execute("SELECT inbox.trace_parent FROM inbox, dead_letters")


def insert(database: Database, **told: object) -> None:
    whole = {
        "provider": "stripe",
        "event_id": "evt_1",
        "kind": "captured",
        "ordering_key": "stripe:p1",
        "event": "{}",
        "topic": "t",
        "partition": 0,
        "offset": 0,
        "payload": b"",
        "state": "received",
        "lease_until": None,
        "wakeup": 1,
    }
    database.run(
        """
        INSERT INTO inbox (provider, event_id, kind, ordering_key, event, topic, partition, "offset", payload, state,
                           lease_until, wakeup)
        VALUES (%(provider)s, %(event_id)s, %(kind)s, %(ordering_key)s, %(event)s, %(topic)s, %(partition)s,
                %(offset)s, %(payload)s, %(state)s, %(lease_until)s, %(wakeup)s)
        """,
        whole | told,
    )


@pytest.mark.parametrize(
    "told",
    [
        {"ordering_key": None},
        {"state": "processing", "lease_until": None},
        {"state": "received", "lease_until": "2026-01-01T00:00:00Z"},
        {"state": "settled", "lease_until": "2026-01-01T00:00:00Z"},
    ],
)
def test_the_database_refuses_a_row_that_contradicts_itself(database: Database, told: dict[str, object]) -> None:
    with pytest.raises(ConstraintViolation) as refused:
        insert(database, **told)
    assert refused.value.code == "sqlstate_23514"


def test_an_ignored_event_needs_no_ordering_key(database: Database) -> None:
    insert(database, kind="ignored", state="ignored", ordering_key=None)
    assert database.row("SELECT count(*) FROM inbox") == (1,)


def test_the_database_itself_refuses_two_events_of_one_payment_at_work(database: Database) -> None:
    lease = {"state": "processing", "lease_until": "2026-01-01T00:00:00Z"}
    insert(database, **lease)
    insert(database, **lease, event_id="evt_2", ordering_key="stripe:p2")
    with pytest.raises(errors.UniqueViolation, match="inbox_one_at_work"):
        insert(database, **lease, event_id="evt_3")


@pytest.mark.parametrize("column", ["amount_minor", "captured_minor", "refunded_total_minor"])
def test_the_database_refuses_a_payment_with_a_negative_amount(database: Database, column: str) -> None:
    amounts = {"amount_minor": 1, "captured_minor": 1, "refunded_total_minor": 1} | {column: -1}
    with pytest.raises(ConstraintViolation) as refused:
        database.run(
            """
            INSERT INTO payments (ordering_key, provider, payment_id, status, currency, amount_minor, captured_minor,
                                  refunded_total_minor, refunds, disputes, version)
            VALUES ('k', 'stripe', 'p', 'completed', 'EUR', %(amount_minor)s, %(captured_minor)s,
                    %(refunded_total_minor)s, '{}', '{}', 1)
            """,
            amounts,
        )
    assert refused.value.code == "sqlstate_23514"


def test_an_entry_needs_a_payment(database: Database) -> None:
    with pytest.raises(ConstraintViolation) as refused:
        database.run("INSERT INTO entries VALUES ('nobody', 'capture/debit', 'merchant', 1, 'EUR', 1)")
    assert refused.value.code == "sqlstate_23503"


def test_every_time_that_counts_is_the_databases(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose clock is an age behind takes, leases and frees like any other."""
    monkeypatch.setattr("time.time", lambda: 0.0)
    [call] = Inbox(database).receive([an_arrival(an_event())])[1]
    assert Claims(database).take(call.inbox_id, lease_seconds=60) is not None
    assert Sweeps(database).free_expired() == 0
    row = database.row(
        "SELECT lease_until - now() BETWEEN '55 s' AND '60 s', received_at > now() - '60 s'::INTERVAL FROM inbox"
    )
    assert row == (True, True)
