"""Reading a payment while the ledger, or the cache, or both are away."""

import pytest
import redis

from payments.failures import DatabaseAway
from payments.flows.desk import Desk
from payments.flows.process import process
from payments.flows.reading import PaymentReader
from payments.ledger.books import Books
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.resilience.exchange import Exchange, connect
from payments.resilience.last_known import LastKnown
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from tests.builders import an_arrival, an_event

NOBODY = "redis://127.0.0.1:1/0"


def last_known(url: str) -> LastKnown:
    switchboard = Switchboard(
        Exchange(None, lambda *_, **__: None), {"default": BreakerPolicy()}, lambda *_, **__: None
    )
    return LastKnown(connect(url, text=False), switchboard.local("cache"), 3600.0)


@pytest.fixture
def settled(desk: Desk, database: Database) -> None:
    [call] = Inbox(database).receive([an_arrival(an_event(metadata={"email": "jo@example.com"}))])[1]
    process(desk, call.inbox_id)


@pytest.mark.usefixtures("settled")
def test_while_the_ledger_is_away_a_read_falls_back_to_the_last_known_value_and_says_so(
    database: Database, redis_url: str
) -> None:
    reader = PaymentReader(Books(database), last_known(redis_url), remembers=True)
    before = reader.read("stripe:p1")
    assert not before.stale
    assert before.payment is not None
    assert before.payment.captured_minor == 1000
    database.close()
    after = reader.read("stripe:p1")
    assert (after.payment, after.stale) == (before.payment, True)
    assert 0 <= after.age_seconds < 60


@pytest.mark.usefixtures("settled")
def test_nothing_personal_is_remembered(database: Database, redis_url: str) -> None:
    PaymentReader(Books(database), last_known(redis_url), remembers=True).read("stripe:p1")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        [key] = client.keys("payferry:last:*")
        assert "example.com" not in client.get(key)


@pytest.mark.usefixtures("settled")
def test_a_cache_that_is_down_is_a_miss_and_the_ledger_still_answers(database: Database) -> None:
    reader = PaymentReader(Books(database), last_known(NOBODY), remembers=True)
    assert reader.read("stripe:p1").payment is not None
    database.close()
    with pytest.raises(DatabaseAway):
        reader.read("stripe:p1")


@pytest.mark.usefixtures("settled")
def test_where_the_fallback_is_to_fail_nothing_old_is_told(database: Database, redis_url: str) -> None:
    reader = PaymentReader(Books(database), last_known(redis_url), remembers=False)
    reader.read("stripe:p1")
    database.close()
    with pytest.raises(DatabaseAway):
        reader.read("stripe:p1")


def test_a_payment_that_nobody_has_heard_of_is_none_and_not_stale(database: Database, redis_url: str) -> None:
    reading = PaymentReader(Books(database), last_known(redis_url), remembers=True).read("stripe:nobody")
    assert (reading.payment, reading.stale) == (None, False)
