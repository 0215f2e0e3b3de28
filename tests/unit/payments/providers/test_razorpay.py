import json
from datetime import UTC, datetime
from typing import Any

import pytest

from payments.event import Event, Kind, Provider
from payments.failures import Undecodable
from payments.providers.decoding import decode_event

PAYMENT = {
    "id": "pay_H1",
    "entity": "payment",
    "amount": 50000,
    "currency": "INR",
    "status": "captured",
    "order_id": "order_H1",
    "method": "card",
    "captured": True,
    "card": {"last4": "1111", "name": "Gaurav"},
    "email": "gaurav.kumar@example.com",
    "contact": "+919999999999",
    "notes": [],
    "created_at": 1_767_225_000,
}
REFUND = {
    "id": "rfnd_H1",
    "entity": "refund",
    "amount": 4000,
    "currency": "INR",
    "payment_id": "pay_H1",
    "notes": {"reason": "late"},
    "created_at": 1_767_225_100,
    "status": "processed",
}
DISPUTE = {
    "id": "disp_H1",
    "entity": "dispute",
    "payment_id": "pay_H1",
    "amount": 39000,
    "currency": "INR",
    "phase": "chargeback",
    "status": "open",
    "created_at": 1_767_225_200,
}
ORDER = {"id": "order_H1", "entity": "order", "amount": 50000, "currency": "INR", "status": "paid"}


def webhook(event: str, changes: dict[str, object] | None = None, /, **entities: Any) -> bytes:  # noqa: ANN401 - any JSON
    body = {
        "entity": "event",
        "account_id": "acc_1",
        "event": event,
        "contains": list(entities),
        "payload": {name: {"entity": entity} for name, entity in entities.items()},
        "created_at": 1_767_225_600,
    }
    return json.dumps(body | (changes or {})).encode()


@pytest.mark.parametrize(
    ("name", "entities", "kind", "amount_minor", "event_id", "reference_id", "parent_id"),
    [
        ("payment.authorized", {"payment": PAYMENT}, Kind.AUTHORIZED, 50000, "pay_H1", None, "order_H1"),
        ("payment.captured", {"payment": PAYMENT}, Kind.CAPTURED, 50000, "pay_H1", None, "order_H1"),
        ("payment.failed", {"payment": PAYMENT}, Kind.FAILED, 50000, "pay_H1", None, "order_H1"),
        ("order.paid", {"payment": PAYMENT, "order": ORDER}, Kind.CAPTURED, 50000, "pay_H1", None, "order_H1"),
        ("refund.processed", {"refund": REFUND, "payment": PAYMENT}, Kind.REFUNDED, 4000, "rfnd_H1", "rfnd_H1", None),
        ("payment.dispute.created", {"dispute": DISPUTE}, Kind.DISPUTED, 39000, "disp_H1", "disp_H1", None),
    ],
)
def test_an_event_means_what_razorpay_says(
    name: str,
    entities: dict[str, Any],
    kind: Kind,
    amount_minor: int,
    event_id: str,
    reference_id: str | None,
    parent_id: str | None,
) -> None:
    event = decode_event(webhook(name, **entities))
    assert (event.provider, event.kind, event.amount_minor) == (Provider.RAZORPAY, kind, amount_minor)
    assert event.event_id == f"{name}:{event_id}"
    assert (event.payment_id, event.ordering_key) == ("pay_H1", "razorpay:pay_H1")
    assert (event.reference_id, event.parent_id) == (reference_id, parent_id)
    assert event.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert event.currency == "INR"


def test_the_header_names_the_event_where_there_is_one() -> None:
    assert decode_event(webhook("payment.captured", payment=PAYMENT), event_id="Gb5k").event_id == "Gb5k"
    assert decode_event(webhook("invoice.paid", payment=PAYMENT), event_id="Gb5k").event_id == "Gb5k"


@pytest.mark.parametrize("header", ["", " ", "x" * 256, "a\nb"])
def test_a_header_that_is_no_id_is_refused(header: str) -> None:
    with pytest.raises(Undecodable):
        decode_event(webhook("payment.captured", payment=PAYMENT), event_id=header)


@pytest.mark.parametrize("name", ["refund.created", "refund.failed", "refund.speed_changed"])
def test_a_refund_that_is_not_processed_moves_no_money(name: str) -> None:
    event = decode_event(webhook(name, refund=REFUND))
    assert (event.kind, event.event_id, event.payment_id) == (Kind.IGNORED, f"{name}:rfnd_H1", None)


@pytest.mark.parametrize("changes", [{"contains": None}, {"payload": []}, {"contains": ["x"]}, {"payload": "?"}])
def test_an_ignored_event_about_nobody_knows_what_has_a_stable_id_all_the_same(changes: dict[str, object]) -> None:
    raw = webhook("payment.downtime.started", changes)
    event = decode_event(raw)
    assert event.kind is Kind.IGNORED
    assert event.event_id.startswith("payment.downtime.started:")
    assert decode_event(raw) == event


def test_notes_are_metadata_and_an_empty_list_is_none() -> None:
    assert decode_event(webhook("refund.processed", refund=REFUND)).metadata == {"reason": "late"}
    assert decode_event(webhook("payment.captured", payment=PAYMENT)).metadata == {}


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("INR", 29500), ("JPY", 295), ("KWD", 295990)],
)
def test_an_amount_is_passed_through_in_subunits(currency: str, amount: int) -> None:
    event = decode_event(webhook("payment.captured", payment=PAYMENT | {"currency": currency, "amount": amount}))
    assert (event.amount_minor, event.currency) == (amount, currency)


def test_the_time_is_found_where_early_webhooks_put_it() -> None:
    raw = json.loads(webhook("payment.captured", payment=PAYMENT))
    del raw["created_at"]
    assert decoded(raw).occurred_at == datetime.fromtimestamp(1_767_225_000, UTC)
    raw["payload"]["created_at"] = 1_767_225_600
    assert decoded(raw).occurred_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_without_any_time_the_event_is_refused() -> None:
    raw = json.loads(webhook("payment.captured", payment=PAYMENT | {"created_at": None}))
    del raw["created_at"]
    with pytest.raises(Undecodable) as refused:
        decoded(raw)
    assert refused.value.path == "$.created_at"


def decoded(body: object) -> Event:
    return decode_event(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("name", "entities", "path"),
    [
        ("payment.captured", {}, "$.payload.payment"),
        ("payment.captured", {"payment": PAYMENT | {"amount": 1.5}}, "$.payload.payment.entity.amount"),
        ("payment.captured", {"payment": PAYMENT | {"amount": -1}}, "$.payload.payment.entity.amount"),
        ("payment.captured", {"payment": PAYMENT | {"currency": "XXX"}}, "$.payload.payment.entity.currency"),
        ("payment.captured", {"payment": PAYMENT | {"id": None}}, "$.payload.payment.entity.id"),
        ("payment.captured", {"payment": PAYMENT | {"id": "p" * 250}}, "$.payload.payment.entity.id"),
        ("refund.processed", {"payment": PAYMENT}, "$.payload.refund"),
        ("refund.processed", {"refund": REFUND | {"payment_id": None}}, "$.payload.refund.entity.payment_id"),
        ("payment.dispute.created", {"dispute": []}, "$.payload.dispute.entity"),
    ],
)
def test_a_wrong_payload_is_refused_by_its_path(name: str, entities: dict[str, Any], path: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode_event(webhook(name, **entities))
    assert refused.value.path == path


def test_an_event_without_a_name_is_refused() -> None:
    with pytest.raises(Undecodable) as refused:
        decode_event(b'{"entity":"event","payload":{},"created_at":1}')
    assert refused.value.path == "$.event"
