import base64
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.envelope import Record
from payments.failures import Undecodable
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.ledger.outbox import Outbox
from tests.builders import a_record

TOPIC = "payments.raw.dlq"
LIBRDKAFKA_MESSAGE_MAX_BYTES = 1_000_000
"""The default of librdkafka's `message.max.bytes`."""


def a_corpse(record: Record) -> Corpse:
    return Corpse(record=record, burial=Burial(reason="undecodable", failure=Undecodable("$.amount", "negative")))


def test_a_record_is_buried_with_its_bytes_key_headers_and_place(database: Database) -> None:
    record = a_record(b"\x00\xff{", 7, partition=3, key=b"\xfe", headers=[("h", b"\x00"), ("none", None)])
    assert DeadLetters(database).bury([a_corpse(record)]) == 1
    row = database.row(
        'SELECT topic, partition, "offset", key, headers, payload, reason, message, inbox_id FROM dead_letters'
    )
    assert row == (
        *("payments.raw", 3, 7, b"\xfe", [["h", "AA=="], ["none", ""]], b"\x00\xff{"),
        *("undecodable", "$.amount: negative", None),
    )


def test_a_record_that_is_delivered_thrice_is_buried_and_told_of_once(database: Database) -> None:
    letters = DeadLetters(database)
    record = a_record(b"bad", 7)
    assert letters.bury([a_corpse(record), a_corpse(record)]) == 1
    assert letters.bury([a_corpse(record)]) == 0
    assert database.row("SELECT count(*) FROM dead_letters") == (1,)
    assert database.row("SELECT count(*) FROM outbox") == (1,)


def test_a_record_that_two_bridges_bury_at_once_is_buried_once(database: Database) -> None:
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda _: DeadLetters(database).bury([a_corpse(a_record(b"bad", 7))]), range(20)))
    assert sum(told) == 1


def test_the_same_bytes_at_another_place_are_another_dead_letter(database: Database) -> None:
    places = [
        a_record(b"bad", 7),
        a_record(b"bad", 8),
        a_record(b"bad", 7, partition=1),
        a_record(b"bad", 7, topic="t"),
    ]
    assert DeadLetters(database).bury([a_corpse(place) for place in places]) == 4


def test_other_bytes_at_the_same_place_are_another_dead_letter(database: Database) -> None:
    """A topic that was deleted and made again counts its offsets from 0."""
    assert DeadLetters(database).bury([a_corpse(a_record(b"one", 7)), a_corpse(a_record(b"two", 7))]) == 2


@pytest.mark.parametrize("payload", [b"", b"\x00\xff{", b"x" * 500])
def test_a_dead_letter_is_announced_with_its_reason_and_its_bytes(database: Database, payload: bytes) -> None:
    DeadLetters(database).bury([a_corpse(a_record(payload, 7))])
    row = database.row("SELECT topic, key, payload, (SELECT id FROM dead_letters) FROM outbox")
    assert row is not None
    assert row[:2] == (TOPIC, str(row[3]))
    assert base64.b64decode(row[2]["payload"]) == payload
    assert (row[2]["reason"], row[2]["offset"]) == ("undecodable", 7)


def test_a_large_dead_letter_can_be_sent_by_the_relay(database: Database) -> None:
    DeadLetters(database).bury([a_corpse(a_record(b"x" * 900_000, 7))])
    [letter] = Outbox(database).waiting(1)
    assert len(letter.payload) < LIBRDKAFKA_MESSAGE_MAX_BYTES
