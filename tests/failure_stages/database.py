"""PostgreSQL, brought to raise what it raises."""

from collections.abc import Callable
from contextlib import closing, suppress
from threading import Barrier, Thread

import psycopg
import pytest

from payments.failures import Failure
from payments.ledger.database import Database, DatabasePolicy
from tests.failure_stages.network import Staged

POLICY = DatabasePolicy(pool_size=2, connect_timeout_seconds=3, statement_timeout_ms=300)

A_KEY_TOO_LONG = "INSERT INTO t SELECT string_agg(md5(n::TEXT), '') FROM generate_series(1, 1000) AS series (n)"


def says(*statements: str) -> Staged:
    """Return a stage: the last of the statements, in one transaction, is refused."""

    def staged(request: pytest.FixtureRequest) -> Failure:
        with closing(Database(request.getfixturevalue("database_url"), POLICY)) as database:
            with pytest.raises(Failure) as caught:
                _run_all(database, statements)
            return caught.value

    return staged


def _run_all(database: Database, statements: tuple[str, ...]) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def a_text_that_cannot_be(request: pytest.FixtureRequest) -> Failure:
    with closing(Database(request.getfixturevalue("database_url"), POLICY)) as database:
        with pytest.raises(Failure) as caught:
            database.rows("SELECT %(text)s::TEXT", {"text": "a\0b"})
        return caught.value


def nobody_there(_request: pytest.FixtureRequest) -> Failure:
    policy = DatabasePolicy(pool_size=1, connect_timeout_seconds=1, statement_timeout_ms=300)
    with closing(Database("postgresql://nobody@127.0.0.1:1/x", policy)) as database:
        with pytest.raises(Failure) as caught:
            database.rows("SELECT 1")
        return caught.value


def ended_by_an_operator(request: pytest.FixtureRequest) -> Failure:
    return says("SELECT pg_terminate_backend(pg_backend_pid())")(request)


def deadlock(request: pytest.FixtureRequest) -> Failure:
    """Two transactions that take the same rows in opposite orders; one of them is ended."""
    url = request.getfixturevalue("database_url")
    _prepare(url)
    meet = Barrier(2)

    def other() -> None:
        with suppress(psycopg.Error), psycopg.connect(url) as connection:
            connection.execute("SET deadlock_timeout = '60s'")  # so that it is ours that is ended
            connection.execute("UPDATE seats SET taken = 1 WHERE id = 2")
            meet.wait(5)
            connection.execute("UPDATE seats SET taken = 1 WHERE id = 1")

    def ours(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        connection.execute("SET LOCAL statement_timeout = '10s'")
        connection.execute("SET LOCAL deadlock_timeout = '50ms'")
        connection.execute("UPDATE seats SET taken = 1 WHERE id = 1")
        meet.wait(5)
        connection.execute("UPDATE seats SET taken = 1 WHERE id = 2")

    thread = Thread(target=other)
    thread.start()
    try:
        return _failing(url, ours)
    finally:
        thread.join()


def serialization_failure(request: pytest.FixtureRequest) -> Failure:
    """A transaction that writes what another has changed since it looked."""
    url = request.getfixturevalue("database_url")
    _prepare(url)

    def ours(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT * FROM seats").fetchall()
        with psycopg.connect(url) as other:
            other.execute("UPDATE seats SET taken = 1 WHERE id = 1")
        connection.execute("UPDATE seats SET taken = 2 WHERE id = 1")

    return _failing(url, ours)


def locked(request: pytest.FixtureRequest) -> Failure:
    url = request.getfixturevalue("database_url")
    _prepare(url)
    with psycopg.connect(url) as other:
        other.execute("UPDATE seats SET taken = 1 WHERE id = 1")
        return _failing(url, lambda ours: ours.execute("SELECT * FROM seats WHERE id = 1 FOR UPDATE NOWAIT"))


def _prepare(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE seats (id INT PRIMARY KEY, taken INT NOT NULL CHECK (taken < 3))")
        connection.execute("INSERT INTO seats VALUES (1, 0), (2, 0)")


def _failing(url: str, work: Callable[["psycopg.Connection[tuple[object, ...]]"], object]) -> Failure:
    with closing(Database(url, POLICY)) as database:
        with pytest.raises(Failure) as caught, database.transaction() as connection:
            work(connection)
        return caught.value
