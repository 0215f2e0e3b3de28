"""Outgoing events as a consumer meets them: CloudEvents 1.0 in binary mode, and docs/events.md."""

import json
from datetime import datetime
from typing import Any

from payments.event import Kind
from payments.flows.desk import Desk
from payments.flows.process import process
from payments.flows.relay import relay_batch
from payments.ledger.database import Database
from payments.ledger.outbox import Outbox
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import StreamPublisher
from tests.builders import an_event
from tests.integration.flows.dead_letters.letters import receive
from tests.integration.flows.dead_letters.test_announcement import consumed
from tests.integration.kafka import Brokers

REQUIRED = {"ce_specversion", "ce_id", "ce_source", "ce_type"}
"""What every CloudEvent has (CloudEvents 1.0, section Required Attributes)."""


def settle(desk: Desk, database: Database, topic: str) -> None:
    """Book a capture and two refunds of one payment, to be told on `topic`."""
    told = [
        an_event("evt_1", Kind.CAPTURED, customer_reference="cus_1", customer_email="jo@example.com"),
        an_event("evt_2", Kind.REFUNDED, amount_minor=400, reference_id="r1"),
        an_event("evt_3", Kind.REFUNDED, amount_minor=600, reference_id="r2"),
    ]
    for inbox_id in receive(database, *told):
        process(desk, inbox_id)
    database.run("UPDATE outbox SET topic = %(topic)s", {"topic": topic})


def test_the_headers_are_the_attributes_of_cloud_events(
    desk: Desk, database: Database, kafka: Brokers, topic: str, group: str
) -> None:
    settle(desk, database, topic)
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=kafka.bootstrap_servers))
    assert relay_batch(Outbox(database), publisher, 500).sent == 3
    attributes = [_attributes(message) for message in consumed(kafka, topic, group, 3)]
    assert all(set(each) >= REQUIRED for each in attributes)
    assert {each["ce_specversion"] for each in attributes} == {"1.0"}
    assert {each["content-type"] for each in attributes} == {"application/json"}
    assert {each["ce_subject"] for each in attributes} == {"stripe:p1"}
    assert len({(each["ce_source"], each["ce_id"]) for each in attributes}) == 3
    assert [each["ce_type"] for each in attributes] == [
        "payferry.payment.completed",
        "payferry.payment.partially_refunded",
        "payferry.payment.refunded",
    ]
    assert all(datetime.fromisoformat(each["ce_time"]).tzinfo for each in attributes)


def test_the_revision_is_that_of_the_payment_and_counts_its_changes(desk: Desk, database: Database) -> None:
    settle(desk, database, "events")
    told = [json.loads(letter.payload) for letter in Outbox(database).waiting(10)]
    assert [each["revision"] for each in told] == [1, 2, 3]
    assert database.row("SELECT version FROM payments") == (3,)


def test_the_customer_is_told_by_reference_alone(desk: Desk, database: Database) -> None:
    settle(desk, database, "events")
    for letter in Outbox(database).waiting(10):
        assert json.loads(letter.payload)["customer_reference"] == "cus_1"
        assert "jo@example.com" not in f"{letter.payload!r} {letter.headers!r}"


def _attributes(message: Any) -> dict[str, str]:  # noqa: ANN401 - confluent-kafka's message
    return {name: value.decode() for name, value in message.headers()}
