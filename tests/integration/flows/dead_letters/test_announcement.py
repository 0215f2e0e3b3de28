"""What a consumer that is not ours finds on the topic of dead letters."""

import json
from typing import Any

from confluent_kafka import Consumer

from payments.failures import Undecodable
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.replay import replay_due
from payments.flows.process import process
from payments.flows.relay import relay_batch
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.search import Search
from payments.ledger.outbox import Outbox
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import StreamPublisher
from tests.builders import a_record
from tests.integration.flows.conftest import MakeDesk, Queue
from tests.integration.flows.dead_letters.letters import bury_many, letters, make_due, requested
from tests.integration.kafka import Brokers, eventually

RAW = b'\x00\xff{"amount"'


def consumed(kafka: Brokers, topic: str, group: str, count: int) -> list[Any]:
    """Return `count` messages, as a plain client reads them."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[Any] = []

    def read() -> bool:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
        return len(found) >= count

    eventually(read, f"{count} messages on {topic}", 60)
    consumer.close()
    return found


def sent(database: Database, kafka: Brokers) -> int:
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=kafka.bootstrap_servers))
    return relay_batch(Outbox(database), publisher, 500).sent


def test_the_latest_message_of_each_letter_is_what_dlq_show_tells(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database, kafka: Brokers, topic: str, group: str
) -> None:
    kafka.create_topic(f"{topic}.dlq")
    record = a_record(RAW, 7, topic=topic, partition=2, key=b"\xfe", headers=[("trace", b"\x00")])
    failure = Undecodable("$.amount", "negative")
    DeadLetters(database).bury([Corpse(record=record, burial=Burial(reason="undecodable", failure=failure))])
    desk = bury_many(make_desk, database, *(requested(f"p{number}") for number in range(3)), failing=2)
    database.run("UPDATE dead_letters SET topic = %(topic)s", {"topic": topic})
    database.run("DELETE FROM outbox WHERE topic <> %(topic)s", {"topic": f"{topic}.dlq"})
    make_due(database)
    replay_due(replayer, is_tick=False)
    for inbox_id, _ in list(queue.sent):
        process(desk, inbox_id)
    changes, jo = Changes(database), Actor("jo@desk", "no use")
    changes.discard(Choice(ids=(1,)), jo)
    changes.park(Choice(ids=(3,)), jo)
    database.run("DELETE FROM outbox WHERE topic = 'payments.raw.dlq'")
    count = sent(database, kafka)
    latest = {json.loads(message.value())["id"]: message for message in consumed(kafka, f"{topic}.dlq", group, count)}
    assert len(latest) == 4
    for letter_id, message in latest.items():
        assert json.loads(message.value()) == Search(database).record(letter_id)
        assert message.key() == str(letter_id).encode()


def test_the_headers_tell_where_the_record_stood_and_what_is_wrong(
    database: Database, kafka: Brokers, topic: str, group: str
) -> None:
    kafka.create_topic(f"{topic}.dlq")
    record = a_record(*(RAW, 7), topic=topic, partition=2, key=b"\xfe", headers=[("x-correlation-id", b"corr-1")])
    failure = Undecodable("$.amount", "negative")
    DeadLetters(database).bury([Corpse(record=record, burial=Burial(reason="undecodable", failure=failure))])
    assert sent(database, kafka) == 1
    [message] = consumed(kafka, f"{topic}.dlq", group, 1)
    headers = dict(message.headers())
    assert (headers["original_topic"], headers["partition"], headers["offset"]) == (topic.encode(), b"2", b"7")
    assert (headers["key"], headers["value"]) == (b"\xfe", RAW)
    assert (headers["error"], headers["retry_count"]) == (b"undecodable: $.amount: negative", b"0")
    assert headers["timestamp"].decode() == json.loads(message.value())["last_failed_at"]
    assert (headers["state"], headers["category"], headers["correlation_id"]) == (b"parked", b"permanent", b"corr-1")
    assert letters(database, "correlation_id") == [("corr-1",)]


def test_each_change_of_a_letter_has_an_id_of_its_own_and_each_sending_the_same(database: Database) -> None:
    failure = Undecodable("$.amount", "negative")
    DeadLetters(database).bury([Corpse(record=a_record(RAW, 7), burial=Burial(reason="undecodable", failure=failure))])
    Changes(database).discard(Choice(ids=(1,)), Actor("jo@desk", "no use"))
    told = [dict(letter.headers) for letter in Outbox(database).waiting(10)]
    assert [each["ce_type"] for each in told] == [b"payferry.dead_letter.parked", b"payferry.dead_letter.discarded"]
    assert [each["ce_id"].split(b"/")[0] for each in told] == [b"1", b"1"]
    assert len({each["ce_id"] for each in told}) == 2
    assert told == [dict(letter.headers) for letter in Outbox(database).waiting(10)]
