"""Reading a payment while the ledger, or the cache, or both are away."""

from collections.abc import Iterator

import msgspec
import pytest
import redis

from config.settings import Settings
from payments.failures import CircuitOpen, DatabaseAway, Transient
from payments.flows.desk import Desk
from payments.flows.process import process
from payments.flows.reading import PaymentReader, ReadPolicy
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.views import PaymentViews
from payments.resilience.exchange import Exchange, connect
from payments.resilience.last_known import LastKnown
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from payments.wiring import Wiring
from tests.builders import an_arrival, an_event

NOBODY = "redis://127.0.0.1:1/0"


def last_known(url: str) -> LastKnown:
    switchboard = Switchboard(
        Exchange(None, lambda *_, **__: None), {"default": BreakerPolicy()}, lambda *_, **__: None
    )
    return LastKnown(connect(url, text=False), switchboard.local("cache"), 3600.0)


def a_reader(database: Database, url: str, **told: float) -> PaymentReader:
    policy = ReadPolicy(**({"remembers": True} | told))
    return PaymentReader(PaymentViews(database), last_known(url), policy)


@pytest.fixture
def settled(desk: Desk, database: Database) -> None:
    event = an_event(customer_email="jo@example.com", customer_reference="cus_1")
    [call] = Inbox(database).receive([an_arrival(event)])[1]
    process(desk, call.inbox_id)


@pytest.mark.usefixtures("settled")
def test_while_the_ledger_is_away_a_read_falls_back_to_the_last_known_value_and_says_so(
    database: Database, redis_url: str
) -> None:
    reader = a_reader(database, redis_url)
    before = reader.read("stripe:p1")
    assert not before.stale
    assert before.payment is not None
    assert before.payment.captured_minor == 1000
    database.close()
    after = reader.read("stripe:p1")
    masked = msgspec.structs.replace(before.payment, customer_email="j***@***.com")
    assert (after.payment, after.stale) == (masked, True)
    assert 0 <= after.age_seconds < 60


@pytest.mark.usefixtures("settled")
def test_nothing_personal_is_remembered(database: Database, redis_url: str) -> None:
    a_reader(database, redis_url).read("stripe:p1")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        [key] = client.keys("payferry:last:*")
        assert "example" not in client.get(key)
        assert "j***@***.com" in client.get(key)


@pytest.mark.usefixtures("settled")
def test_a_cache_that_is_down_is_a_miss_and_the_ledger_still_answers(database: Database) -> None:
    reader = a_reader(database, NOBODY)
    assert reader.read("stripe:p1").payment is not None
    database.close()
    with pytest.raises(DatabaseAway):
        reader.read("stripe:p1")


@pytest.mark.usefixtures("settled")
def test_where_the_fallback_is_to_fail_nothing_old_is_told(database: Database, redis_url: str) -> None:
    reader = a_reader(database, redis_url, remembers=False)
    reader.read("stripe:p1")
    database.close()
    with pytest.raises(DatabaseAway):
        reader.read("stripe:p1")


def test_a_payment_that_nobody_has_heard_of_is_none_and_not_stale(database: Database, redis_url: str) -> None:
    reading = a_reader(database, redis_url).read("stripe:nobody")
    assert (reading.payment, reading.stale) == (None, False)


@pytest.fixture
def fresh(settled: None, database: Database, redis_url: str) -> PaymentReader:  # noqa: ARG001 - a payment is there
    """A reader that has just asked."""
    reader = a_reader(database, redis_url, fresh_seconds=60.0)
    assert reader.read("stripe:p1").age_seconds == 0
    return reader


def test_for_a_while_the_ledger_is_not_asked_again(fresh: PaymentReader, database: Database) -> None:
    database.run("UPDATE payments SET status = 'refunded'")  # nobody has said so
    reading = fresh.read("stripe:p1")
    assert reading.payment is not None
    assert (reading.payment.status, reading.stale) == ("completed", False)


def test_a_payment_that_has_changed_is_asked_for_again_also_by_a_reader_that_was_slow(
    fresh: PaymentReader, database: Database
) -> None:
    database.run("UPDATE payments SET status = 'refunded', version = 2")
    fresh.outdate({"stripe:p1": 2})
    after = fresh.read("stripe:p1").payment
    assert after is not None
    assert after.status == "refunded"
    database.run("UPDATE payments SET status = 'voided', version = 3")
    fresh.outdate({"stripe:p1": 3})
    fresh.outdate({"stripe:other": 9})
    assert fresh.read("stripe:p1").payment != after


def test_who_may_see_the_email_is_told_it_by_the_ledger_and_nobody_else(fresh: PaymentReader) -> None:
    whole, masked = fresh.read("stripe:p1", whole=True).payment, fresh.read("stripe:p1").payment
    assert whole is not None
    assert masked is not None
    assert (whole.customer_email, masked.customer_email) == ("jo@example.com", "j***@***.com")


def test_what_an_older_program_has_remembered_is_a_miss(fresh: PaymentReader, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("payferry:last:stripe:p1", b'{"ordering_key":"stripe:p1"}', px=7_200_000)
    assert fresh.read("stripe:p1").payment is not None


@pytest.fixture
def wiring(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiring]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    monkeypatch.setenv("DATABASE_STATEMENT_TIMEOUT_MS", "100")
    made = Wiring(Settings())
    yield made
    made.database.close()


def test_readers_whose_questions_take_too_long_are_refused_and_no_worker_is(wiring: Wiring) -> None:
    reading = wiring.database_for("listing")
    failures: list[Transient] = []
    while not (failures and isinstance(failures[-1], CircuitOpen)):
        with pytest.raises(Transient) as raised:
            reading.rows("SELECT pg_sleep(1)")
        failures.append(raised.value)
        assert len(failures) < 50, failures
    assert wiring.database_for("reading").rows("SELECT 1") == [(1,)]
    assert wiring.database.rows("SELECT 1") == [(1,)]
    assert wiring.switchboard.standing("database").value == "closed"
