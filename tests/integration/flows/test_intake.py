import base64
import re
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec
import pytest
import redis
from celery import Celery

from config.celery import PROCESS_TASK
from payments.envelope import Record
from payments.event import Provider
from payments.failures import DatabaseAway, SchemaMismatch
from payments.flows.intake import Intake, Taken
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import DeadLetters
from payments.ledger.inbox import Inbox
from payments.queue.wakeups import Call, Wakeups
from tests.builders import a_message, a_record
from tests.celery_app import queue_app
from tests.integration.flows.conftest import Queue
from workers.traffic_messages import MALFORMED, WORDINGS, Payment

MAX_BYTES = 10_000


def records(*payloads: bytes) -> list[Record]:
    return [a_record(payload, offset) for offset, payload in enumerate(payloads)]


def make(database: Database, queue: object) -> Intake:
    return Intake(
        Inbox(database),
        DeadLetters(database),
        cast("Wakeups", queue),
        max_bytes=MAX_BYTES,
        tell=lambda _name, **_fields: None,
    )


@pytest.fixture
def intake(database: Database, queue: Queue) -> Intake:
    return make(database, queue)


def count(database: Database, table: str) -> int:
    row = database.row(f"SELECT count(*) FROM {table}")  # noqa: S608 - a constant of the test
    assert row is not None
    return int(row[0])


def dead(database: Database) -> list[tuple[int, str]]:
    return [(row[0], row[1]) for row in database.rows('SELECT "offset", reason FROM dead_letters ORDER BY "offset"')]


def test_a_batch_is_stored_and_its_workers_are_woken_in_its_order(
    intake: Intake, queue: Queue, database: Database
) -> None:
    assert intake.take(records(*(a_message(f"p{i}") for i in range(5)))) == Taken(new=5, known=0, dead=0, woken=5)
    stored = [row[0] for row in database.rows('SELECT id FROM inbox ORDER BY "offset"')]
    assert [inbox_id for inbox_id, _ in queue.sent] == stored


def test_the_workers_are_woken_only_when_the_rows_are_there_for_all_to_see(database: Database) -> None:
    class Looking:
        seen: list[int]

        def send(self, _calls: Sequence[Call]) -> None:
            self.seen = [count(database, "inbox")]

    looking = Looking()
    make(database, looking).take(records(a_message("p1"), a_message("p2")))
    assert looking.seen == [2]


def test_what_cannot_be_decoded_is_buried_as_it_came_and_the_rest_is_stored(intake: Intake, database: Database) -> None:
    bad = a_record(b"\x00\xffnonsense", 7, partition=3, key=b"k7", headers=[("trace", b"\x01")])
    assert intake.take([a_record(a_message("p1"), 6), bad, a_record(a_message("p2"), 8)]) == Taken(
        new=2, known=0, dead=1, woken=2, undecodable=(1,)
    )
    assert database.row('SELECT partition, "offset", key, headers, payload, reason FROM dead_letters') == (
        *(3, 7, b"k7", [["trace", "AQ=="]], b"\x00\xffnonsense", "undecodable"),
    )


@pytest.mark.parametrize("what", MALFORMED)
def test_every_malformed_record_is_a_dead_letter(intake: Intake, database: Database, what: str) -> None:
    raw = MALFORMED[what] % 1 if b"%d" in MALFORMED[what] else MALFORMED[what]
    assert intake.take(records(raw, a_message("p1"))) == Taken(new=1, known=0, dead=1, woken=1, undecodable=(0,))
    assert dead(database) == [(0, "undecodable")]


def test_records_that_are_empty_or_too_large_are_dead_letters(intake: Intake, database: Database) -> None:
    large = a_message("p1", note="x" * MAX_BYTES)
    assert intake.take(records(b"", large)).dead == 2
    assert dead(database) == [(0, "undecodable"), (1, "undecodable")]


def test_a_batch_of_nothing_but_dead_letters_wakes_nobody(intake: Intake, queue: Queue) -> None:
    assert intake.take(records(b"a", b"b")) == Taken(new=0, known=0, dead=2, woken=0, undecodable=(0, 1))
    assert queue.sent == []


def test_a_bug_of_our_decoder_costs_the_record_only(
    intake: Intake, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_told: object) -> None:
        raise ZeroDivisionError("card 4242424242424242")

    monkeypatch.setattr("payments.flows.intake.decode_event", fail)
    assert intake.take(records(a_message("p1"))).dead == 1
    assert database.row("SELECT message FROM dead_letters") == ("$: the decoder failed with ZeroDivisionError",)


def test_a_batch_that_comes_again_is_known_and_changes_nothing(
    intake: Intake, queue: Queue, database: Database
) -> None:
    batch = records(a_message("p1"), b"bad", a_message("p2"))
    intake.take(batch)
    queue.sent.clear()
    assert intake.take(batch) == Taken(new=0, known=2, dead=1, woken=0, undecodable=(1,))
    assert (count(database, "inbox"), count(database, "dead_letters"), count(database, "outbox")) == (2, 1, 1)
    assert queue.sent == []


def test_the_same_message_at_another_offset_is_known_and_no_contradiction(intake: Intake, database: Database) -> None:
    assert intake.take(records(a_message("p1"), a_message("p1"))) == Taken(new=1, known=1, dead=0, woken=1)
    assert dead(database) == []


@pytest.mark.parametrize("other", [{"amount": "11.00"}, {"currency": "USD"}, {"status": "failed"}])
@pytest.mark.parametrize("together", [True, False])
def test_another_message_under_a_known_id_is_buried_and_the_first_one_stands(
    intake: Intake, database: Database, other: dict[str, str], *, together: bool
) -> None:
    batch = records(a_message("p1", event_id="e1"), a_message("p1", **({"event_id": "e1"} | other)))
    for part in [batch] if together else [[each] for each in batch]:
        assert intake.take(part).undecodable == (), "it can be read"
    assert dead(database) == [(1, "contradicts_known_event")]
    assert database.row("SELECT provider, event_id FROM dead_letters") == ("canonical", "e1")
    assert database.row("SELECT event ->> 'amount_minor', kind FROM inbox") == ("1000", "captured")


@pytest.mark.parametrize("other", [{"customer_email": "joe@example.com"}, {"customer_reference": "cus_2"}])
def test_another_customer_alone_is_no_contradiction_and_the_first_one_stands(
    intake: Intake, database: Database, other: dict[str, str]
) -> None:
    again = records(a_message("p1", customer_reference="cus_1"), a_message("p1", **other))
    assert intake.take(again) == Taken(new=1, known=1, dead=0, woken=1)
    told = database.row("SELECT event ->> 'customer_reference', event ->> 'customer_email' FROM inbox")
    assert told == ("cus_1", "jo@example.com")


def test_an_event_that_was_stored_before_customers_were_read_is_known_when_it_comes_again(
    intake: Intake, database: Database
) -> None:
    intake.take(records(a_message("p1")))
    database.run("UPDATE inbox SET event = event - 'customer_reference' - 'customer_email'")
    assert intake.take(records(a_message("p1"))) == Taken(new=0, known=1, dead=0, woken=0)
    assert dead(database) == []


def test_an_event_that_we_do_not_handle_ends_without_a_wakeup(intake: Intake, queue: Queue, database: Database) -> None:
    assert intake.take(records(a_message("p1", "reviewed"))) == Taken(new=1, known=0, dead=0, woken=0)
    assert database.row("SELECT state FROM inbox") == ("ignored",)
    assert queue.sent == []


# -- servers that refuse -----------------------------------------------------------------------------------------------


def test_while_redis_is_away_events_are_stored_all_the_same(intake: Intake, queue: Queue, database: Database) -> None:
    queue.away = True
    assert intake.take(records(a_message("p1"), b"bad")) == Taken(new=1, known=0, dead=1, woken=0, undecodable=(1,))
    assert (count(database, "inbox"), count(database, "dead_letters")) == (1, 1)


@pytest.mark.usefixtures("own_schema")
def test_a_record_that_the_database_refuses_is_buried_alone(intake: Intake, queue: Queue, database: Database) -> None:
    database.run("ALTER TABLE inbox ADD CHECK (event ->> 'payment_id' <> 'poison')")
    batch = records(*(a_message(name) for name in ("p1", "p2", "poison", "p3")))
    assert intake.take(batch) == Taken(new=3, known=0, dead=1, woken=3, undecodable=(2,))
    assert dead(database) == [(2, "undecodable")]
    assert database.row("SELECT message LIKE '%%sqlstate_23514%%' FROM dead_letters") == (True,)
    assert len(queue.sent) == 3


def test_a_database_that_is_away_is_the_callers_to_know_and_nothing_is_sent(
    intake: Intake, queue: Queue, database: Database
) -> None:
    database.close()
    with pytest.raises(DatabaseAway):
        intake.take(records(a_message("p1")))
    assert queue.sent == []


@pytest.mark.usefixtures("own_schema")
def test_a_ledger_that_is_not_migrated_buries_no_good_payment(intake: Intake, database: Database) -> None:
    database.run("ALTER TABLE inbox RENAME COLUMN wakeup TO of_another_release")
    with pytest.raises(SchemaMismatch, match="payferry migrate"):
        intake.take(records(a_message("p1"), a_message("p2")))
    assert dead(database) == []


@pytest.mark.usefixtures("own_schema")
def test_a_database_that_is_read_only_is_away(database_url: str, database: Database, queue: Queue) -> None:
    database.run(f"ALTER DATABASE {database_url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with database.connection() as connection:
        connection.execute("SET default_transaction_read_only = on")
        connection.close()  # the pool makes a new one, which is read-only
    with pytest.raises(DatabaseAway):
        make(database, queue).take(records(a_message("p1")))


# -- what gets into Redis ----------------------------------------------------------------------------------------------

SECRETS = (b"@example.com", b"4242424242424242", b"4111111111111111", b"cvv", b"customer_email", b"Jo Example")


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = queue_app(redis_url)
    yield made
    made.close()


def a_payment_of(provider: Provider, *, plain: bool) -> Payment:
    return Payment(
        provider=provider,
        token="t1",  # noqa: S106 - a name, not a secret
        life=("captured",),
        amount_minor=1000,
        part_minor=300,
        currency="EUR",
        email="jo@example.com",
        card="4242424242424242",
        plain=plain,
    )


def test_no_email_and_no_card_number_ever_gets_into_redis(database: Database, app: Celery, redis_url: str) -> None:
    steps = ("captured", "part_refunded", "disputed", "failed")
    told = [
        a_record(as_json(WORDINGS[provider](a_payment_of(provider, plain=plain), step, 1_767_225_600)), offset)
        for offset, (provider, plain, step) in enumerate(
            (provider, plain, step) for provider in Provider for plain in (True, False) for step in steps
        )
    ]
    taken = make(database, Wakeups(app, PROCESS_TASK)).take(told)
    assert taken.woken > 10
    read = database.rows("SELECT DISTINCT provider FROM inbox WHERE event ->> 'customer_email' = 'jo@example.com'")
    assert {provider for (provider,) in read} == set(Provider), "what must not get there is really read"
    with redis.Redis.from_url(redis_url) as client:
        keys = [key for key in client.scan_iter() if client.type(key) == b"list"]
        messages = b"".join(b"".join(client.lrange(key, 0, -1)) for key in keys)
        assert client.llen("payments.stripe")
    whole = messages + b"".join(decoded_bodies(messages))
    assert b"payments.process" in whole
    assert [secret for secret in SECRETS if secret in whole] == []


def as_json(body: dict[str, object]) -> bytes:
    return msgspec.json.encode(body)


def decoded_bodies(messages: bytes) -> Iterator[bytes]:
    for body in re.findall(rb'"body": "([^"]+)"', messages):
        yield base64.b64decode(body)
