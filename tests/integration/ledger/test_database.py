"""The pool of connections, and what stands before it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from payments.failures import DatabaseAway, Failure, PoolExhausted
from payments.ledger.database import Database, DatabasePolicy
from payments.resilience.outcome import Outcome, outcome_of

POLICY = DatabasePolicy(pool_size=2, connect_timeout_seconds=1, statement_timeout_ms=2000)


class Shield:
    """Notes how every use of a connection ended."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            self.outcomes.append(outcome_of(failure, "database"))
            raise
        self.outcomes.append(Outcome.SUCCESS)


def test_a_pool_whose_connections_are_all_lent_out_is_no_fault_of_the_database(database_url: str) -> None:
    shield = Shield()
    database = Database(database_url, POLICY, shield)
    with database.connection(), database.connection(), pytest.raises(PoolExhausted, match="DATABASE_POOL_SIZE"):
        database.row("SELECT 1")
    assert shield.outcomes == [Outcome.EXCLUDED, Outcome.SUCCESS, Outcome.SUCCESS]
    assert database.row("SELECT 1") == (1,)
    database.close()


def test_a_database_that_is_not_there_is(database_url: str) -> None:
    shield = Shield()
    database = Database(
        database_url.replace("127.0.0.1", "127.0.0.2").replace("host=", "host=/nowhere"), POLICY, shield
    )
    database.close()
    with pytest.raises(DatabaseAway):
        database.row("SELECT 1")
    assert shield.outcomes == [Outcome.FAILURE]


def test_a_statement_that_is_refused_speaks_well_of_the_database(database_url: str) -> None:
    shield = Shield()
    database = Database(database_url, POLICY, shield)
    with pytest.raises(Failure):
        database.row("SELECT 1 / 0")
    with pytest.raises(Failure):
        database.row("SELEC")
    assert shield.outcomes == [Outcome.SUCCESS] * 2
    database.close()
