import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from payments.borders.postgresql import failure_of_postgresql, kind_of_sqlstate
from payments.failures import (
    ConstraintViolation,
    DatabaseAway,
    DataRefused,
    Deadlock,
    DiskFull,
    Failure,
    OutOfMemory,
    Permanent,
    SchemaMismatch,
    SerializationFailure,
    StatementRefused,
    Transient,
    Unexpected,
    WriteConflict,
)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", DatabaseAway),
        ("25006", DatabaseAway),
        ("25P02", DatabaseAway),
        ("25P03", DatabaseAway),
        ("28P01", DatabaseAway),
        ("53300", DatabaseAway),
        ("57014", DatabaseAway),
        ("57P01", DatabaseAway),
        ("57P03", DatabaseAway),
        ("58030", DatabaseAway),
        ("40003", DatabaseAway),
        ("40P01", Deadlock),
        ("40001", SerializationFailure),
        ("40000", WriteConflict),
        ("55P03", WriteConflict),
        ("23505", ConstraintViolation),
        ("23514", ConstraintViolation),
        ("22003", DataRefused),
        ("22P02", DataRefused),
        ("54000", DataRefused),
        ("54001", StatementRefused),
        ("42601", StatementRefused),
        ("42501", StatementRefused),
        ("42P01", SchemaMismatch),
        ("42703", SchemaMismatch),
        ("42704", SchemaMismatch),
        ("53100", DiskFull),
        ("53200", OutOfMemory),
        ("0A000", StatementRefused),
        ("XX001", Unexpected),
    ],
)
def test_every_sqlstate_has_its_failure_and_is_its_code(sqlstate: str, kind: type[Failure]) -> None:
    failure = failure_of_postgresql(errors.lookup(sqlstate)("Key (email)=(payer@example.com)"))
    assert type(failure) is kind
    assert (failure.code, failure.service) == (f"sqlstate_{sqlstate}", "database")
    assert "payer@example.com" not in f"{failure!r}{failure}"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PoolTimeout("none left"), DatabaseAway),
        (psycopg.OperationalError("connection refused"), DatabaseAway),
        (psycopg.InterfaceError("the connection is closed"), DatabaseAway),
        (psycopg.DataError("NUL"), DataRefused),
        (psycopg.ProgrammingError("two parameters, one value"), StatementRefused),
        (psycopg.NotSupportedError("no"), StatementRefused),
        (psycopg.InternalError("what"), Unexpected),
    ],
)
def test_where_postgresql_said_nothing_psycopgs_class_does(error: psycopg.Error, kind: type[Failure]) -> None:
    failure = failure_of_postgresql(error)
    assert (type(failure), failure.code) == (kind, kind.kind)


def test_no_state_that_may_pass_by_itself_is_permanent() -> None:
    passing = ["08000", "08P01", "57P05", "53000", "53400", "58000", "40002"]
    kinds = [kind_of_sqlstate(state) for state in passing]
    assert all(kind is not None and issubclass(kind, Transient) and not issubclass(kind, Permanent) for kind in kinds)
