"""Connections to the ledger, and the names of what can go wrong with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from threading import Lock
from typing import Any

import msgspec
import psycopg
from psycopg import errors
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from payments.borders.postgresql import failure_of_postgresql
from payments.failures import CircuitOpen, DatabaseAway, PoolExhausted, Transient, WriteConflict

Connection = psycopg.Connection[TupleRow]
Parameters = Mapping[str, Any]
Shield = Callable[[], AbstractContextManager[Any]]
"""What stands before every use of a connection, such as a breaker, and sees what comes out of it."""


class DatabasePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long the database may take, and how many connections one process may hold."""

    pool_size: int
    connect_timeout_seconds: int
    statement_timeout_ms: int


class _Lent:
    """How many connections are lent. A block that holds one stands inside it."""

    def __init__(self) -> None:
        self.count = 0
        self._counting = Lock()

    def __enter__(self) -> None:
        with self._counting:
            self.count += 1

    def __exit__(self, *_error: object) -> None:
        with self._counting:
            self.count -= 1


class Database:
    """A pool of connections to one PostgreSQL. Every statement commits by itself, unless inside `transaction`."""

    def __init__(self, url: str, policy: DatabasePolicy, shield: Shield = nullcontext) -> None:
        self._shield = shield
        self._size = policy.pool_size
        self._lent = _Lent()
        self._pool = ConnectionPool(
            url,
            min_size=0,
            max_size=policy.pool_size,
            timeout=policy.connect_timeout_seconds,
            max_idle=60,
            reconnect_timeout=3,  # then the next one who asks starts afresh, instead of waiting out a long backoff
            open=True,
            kwargs=connection_options(policy),
        )

    def rows(self, statement: str, parameters: Parameters | None = None) -> list[TupleRow]:
        """Return the rows that `statement` gives."""
        with self.connection() as connection:
            return connection.execute(statement, parameters).fetchall()

    def row(self, statement: str, parameters: Parameters | None = None, *, shielded: bool = True) -> TupleRow | None:
        """Return the first row, or None."""
        with self.connection(shielded=shielded) as connection:
            return connection.execute(statement, parameters).fetchone()

    def insist(self, statement: str, parameters: Parameters | None = None) -> TupleRow | None:
        """Return the first row of a statement that ends or puts off work which the provider may have acted on.

        Where it fails it is made once more, whatever the shield says: losing it costs a lease and an attempt. It must
        name a fencing token, so that it does not take place twice.
        """
        try:
            return self.row(statement, parameters)
        except (DatabaseAway, WriteConflict):
            return self.row(statement, parameters)
        except CircuitOpen:
            return self.row(statement, parameters, shielded=False)

    def run(self, statement: str, parameters: Parameters | None = None) -> int:
        """Run `statement` and return how many rows it touched."""
        with self.connection() as connection:
            return connection.execute(statement, parameters).rowcount

    @contextmanager
    def connection(self, *, shielded: bool = True) -> Iterator[Connection]:
        """Lend a connection; what psycopg raises meanwhile comes out with our names. Raises what the shield raises.

        Where none comes in time because this process has lent them all out, it raises PoolExhausted: PostgreSQL is not
        to blame, and its breaker must not open in the whole fleet because one process has too small a pool.
        """
        with self._shield() if shielded else nullcontext(), _named():
            try:
                with self._pool.connection() as connection, self._lent:
                    yield connection
            except PoolTimeout as error:
                if self._lent.count < self._size:
                    raise
                raise PoolExhausted("all connections are in use; DATABASE_POOL_SIZE", service="database") from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection inside one transaction."""
        with self.connection() as connection, connection.transaction():
            yield connection

    def behind(self, shield: Shield) -> "Database":
        """Return the same pool with another shield before it, for uses whose failures are not everybody's."""
        twin = copy(self)
        twin._shield = shield  # noqa: SLF001 - our own
        return twin

    def connections(self) -> dict[tuple[str, ...], float]:
        """Return how many connections are lent, and how many lie ready."""
        told = self._pool.get_stats()
        size, ready = told.get("pool_size", 0), told.get("pool_available", 0)
        return {("lent",): size - ready, ("ready",): ready}

    def waiting(self) -> dict[tuple[str, ...], float]:
        """Return how many wait for a connection."""
        return {(): self._pool.get_stats().get("requests_waiting", 0)}

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=2)


def connection_options(policy: DatabasePolicy) -> dict[str, Any]:
    """Return what every connection is opened with."""
    return {
        "autocommit": True,
        "connect_timeout": policy.connect_timeout_seconds,
        "application_name": "payferry",
        "options": " ".join(f"-c {name}={value}" for name, value in _session(policy).items()),
        # a peer that is gone without a word is noticed within about 10 s
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }


def _session(policy: DatabasePolicy) -> dict[str, str | int]:
    """Return what each session is told: no statement, and no client that is gone, may hold a lock for long."""
    return {
        "statement_timeout": policy.statement_timeout_ms,
        "idle_in_transaction_session_timeout": 5000,
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
        "timezone": "UTC",
    }


@contextmanager
def _named() -> Iterator[None]:
    """Let psycopg's errors out under our names, and without the row that PostgreSQL quotes in those about values."""
    try:
        yield
    except errors.UniqueViolation:
        raise  # a caller that provokes one knows what it means
    except (psycopg.Error, PoolTimeout) as error:
        failure = failure_of_postgresql(error)
        raise failure from (error if isinstance(failure, Transient) else None)


@contextmanager
def refused_whole(connection: Connection) -> Iterator[None]:
    """Undo all of the block, and nothing before it, where PostgreSQL cannot hold its values; then raise DataRefused."""
    try:
        with connection.transaction():  # inside another one, a savepoint
            yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        failure = failure_of_postgresql(error)
    else:
        return
    raise failure  # out here, so that the error, which quotes the row, is not chained to it


def columns(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the rows turned by 90 degrees, as `unnest` wants them: a list for each name."""
    turned = zip(*rows, strict=True) if rows else ((),) * len(names)
    return dict(zip(names, map(list, turned), strict=True))
