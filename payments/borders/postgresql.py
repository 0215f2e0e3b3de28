"""PostgreSQL's errors by SQLSTATE (PostgreSQL documentation, appendix A), and psycopg's own where there is none."""

from collections.abc import Mapping

import psycopg
from psycopg_pool import PoolTimeout

from payments.failures import (
    ConstraintViolation,
    DatabaseAway,
    DataRefused,
    Deadlock,
    DiskFull,
    Failure,
    OutOfMemory,
    SchemaMismatch,
    SerializationFailure,
    StatementRefused,
    Unexpected,
    WriteConflict,
)


def failure_of_postgresql(error: psycopg.Error | PoolTimeout) -> Failure:
    """Return what the error means. Its code is `sqlstate_…`, or the kind where PostgreSQL said nothing."""
    state = getattr(error, "sqlstate", None)
    kind = kind_of_sqlstate(state) or _kind_of_class(error)
    return kind(_words(kind), code=f"sqlstate_{state}" if state else None, service="database")


def kind_of_sqlstate(state: str | None) -> type[Failure] | None:
    """Return what a SQLSTATE means by itself, or else by its class, its first two characters."""
    return (_STATES.get(state) or _CLASSES.get(state[:2])) if state else None


def _kind_of_class(error: Exception) -> type[Failure]:
    return next((kind for above, kind in _RAISED.items() if isinstance(error, above)), Unexpected)


def _words(kind: type[Failure]) -> str:
    """Return our own words, since PostgreSQL's quote the row."""
    return next(words for above, words in _SAYS.items() if issubclass(kind, above))


_STATES: Mapping[str, type[Failure]] = {
    "25006": DatabaseAway,  # read-only: a replica, after a fail-over
    "25P02": DatabaseAway,  # an earlier statement of the same transaction failed
    "25P03": DatabaseAway,  # the session was ended because it stood idle in a transaction
    "25P04": DatabaseAway,  # transaction_timeout
    "40001": SerializationFailure,
    "40003": DatabaseAway,  # nobody knows whether the statement was completed
    "40P01": Deadlock,
    "42703": SchemaMismatch,
    "42704": SchemaMismatch,
    "42P01": SchemaMismatch,
    "53100": DiskFull,
    "53200": OutOfMemory,
    "54000": DataRefused,  # such as a value too long for its index
    "55P03": WriteConflict,  # lock_timeout, or NOWAIT
}

_CLASSES: Mapping[str, type[Failure]] = {
    "08": DatabaseAway,  # connection exceptions
    "22": DataRefused,
    "23": ConstraintViolation,
    "28": DatabaseAway,  # the login was refused
    "40": WriteConflict,
    "42": StatementRefused,  # syntax, or a right that is missing
    "53": DatabaseAway,  # too many connections
    "54": StatementRefused,  # too complex
    "57": DatabaseAway,  # cancelled at statement_timeout, shut down, not yet started
    "58": DatabaseAway,  # its own disk or files
}

_RAISED: Mapping[type[Exception], type[Failure]] = {
    PoolTimeout: DatabaseAway,
    psycopg.OperationalError: DatabaseAway,
    psycopg.InterfaceError: DatabaseAway,
    psycopg.DataError: DataRefused,  # such as NUL in a text, which psycopg refuses by itself
    psycopg.IntegrityError: ConstraintViolation,
    psycopg.NotSupportedError: StatementRefused,
    psycopg.ProgrammingError: StatementRefused,
}

_SAYS: Mapping[type[Failure], str] = {
    DatabaseAway: "no answer from PostgreSQL",
    WriteConflict: "gave way to another transaction",
    OutOfMemory: "PostgreSQL has no memory left",
    DiskFull: "PostgreSQL has no disk left",
    DataRefused: "PostgreSQL refused the values",
    StatementRefused: "PostgreSQL refused the statement",
    SchemaMismatch: "the ledger's tables are not those of this program; run `payferry migrate`",
    Failure: "PostgreSQL refused",
}
