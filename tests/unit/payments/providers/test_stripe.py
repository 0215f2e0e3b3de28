import json
from datetime import UTC, datetime
from typing import Any

import pytest

from payments.event import Event, Kind, Provider
from payments.failures import Undecodable
from payments.providers.decoding import decode_event

INTENT = {
    "id": "pi_3Abc",
    "object": "payment_intent",
    "amount": 2000,
    "amount_capturable": 1500,
    "amount_received": 1800,
    "currency": "usd",
    "customer": "cus_1",
    "latest_charge": "ch_3Abc",
    "metadata": {"order_id": "6735"},
    "receipt_email": "jenny@example.com",
    "status": "succeeded",
}
CHARGE = {
    "id": "ch_3Abc",
    "object": "charge",
    "amount": 2000,
    "amount_captured": 1900,
    "amount_refunded": 700,
    "captured": True,
    "currency": "eur",
    "billing_details": {"email": "jenny@example.com"},
    "metadata": {},
    "payment_intent": "pi_3Abc",
    "payment_method_details": {"card": {"last4": "4242"}, "type": "card"},
}
REFUND = {
    "id": "re_3Abc",
    "object": "refund",
    "amount": 300,
    "charge": "ch_3Abc",
    "currency": "eur",
    "metadata": {},
    "payment_intent": "pi_3Abc",
    "status": "succeeded",
}
DISPUTE = {
    "id": "du_3Abc",
    "object": "dispute",
    "amount": 1900,
    "charge": "ch_3Abc",
    "currency": "eur",
    "payment_intent": "pi_3Abc",
    "reason": "fraudulent",
    "status": "needs_response",
}


def webhook(event_type: str, thing: object, **changes: object) -> bytes:
    event = {
        "id": "evt_1Abc",
        "object": "event",
        "api_version": "2024-06-20",
        "created": 1_767_225_600,
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_1", "idempotency_key": None},
        "type": event_type,
    }
    return json.dumps(event | changes).encode()


def decode(event_type: str, thing: dict[str, Any], **changes: object) -> Event:
    return decode_event(webhook(event_type, thing, **changes))


@pytest.mark.parametrize(
    ("event_type", "thing", "kind", "amount_minor", "reference_id"),
    [
        ("payment_intent.created", INTENT, Kind.REQUESTED, 2000, None),
        ("payment_intent.amount_capturable_updated", INTENT, Kind.AUTHORIZED, 1500, None),
        ("payment_intent.succeeded", INTENT, Kind.CAPTURED, 1800, None),
        ("payment_intent.payment_failed", INTENT, Kind.FAILED, 2000, None),
        ("payment_intent.canceled", INTENT, Kind.VOIDED, 2000, None),
        ("charge.succeeded", CHARGE, Kind.CAPTURED, 1900, None),
        ("charge.succeeded", CHARGE | {"captured": False}, Kind.AUTHORIZED, 2000, None),
        ("charge.captured", CHARGE, Kind.CAPTURED, 1900, None),
        ("charge.failed", CHARGE, Kind.FAILED, 2000, None),
        ("charge.expired", CHARGE, Kind.VOIDED, 2000, None),
        ("charge.refunded", CHARGE, Kind.REFUNDED, 700, None),
        ("refund.created", REFUND, Kind.REFUNDED, 300, "re_3Abc"),
        ("refund.updated", REFUND, Kind.REFUNDED, 300, "re_3Abc"),
        ("charge.refund.updated", REFUND, Kind.REFUNDED, 300, "re_3Abc"),
        ("charge.dispute.created", DISPUTE, Kind.DISPUTED, 1900, "du_3Abc"),
    ],
)
def test_an_event_means_what_stripe_says(
    event_type: str, thing: dict[str, Any], kind: Kind, amount_minor: int, reference_id: str | None
) -> None:
    event = decode(event_type, thing)
    assert (event.kind, event.amount_minor, event.reference_id) == (kind, amount_minor, reference_id)
    assert event.provider is Provider.STRIPE
    assert event.event_id == "evt_1Abc"
    assert event.payment_id == "pi_3Abc"
    assert event.ordering_key == "stripe:pi_3Abc"
    assert event.currency == thing["currency"].upper()
    assert event.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event_type", "thing"),
    [
        ("payment_intent.processing", INTENT),
        ("payment_intent.requires_action", INTENT),
        ("charge.updated", CHARGE),
        ("charge.dispute.closed", DISPUTE),
        ("charge.dispute.funds_withdrawn", DISPUTE),
        ("customer.created", {"id": "cus_1", "object": "customer", "amount": "none", "currency": None}),
        ("refund.failed", REFUND | {"status": "failed"}),
        ("refund.created", REFUND | {"status": "pending"}),
        ("refund.updated", REFUND | {"status": "requires_action"}),
        ("charge.refund.updated", REFUND | {"status": "failed"}),
        ("refund.created", REFUND | {"status": None}),
    ],
)
def test_what_moves_no_money_is_ignored(event_type: str, thing: dict[str, Any]) -> None:
    event = decode(event_type, thing)
    assert event.kind is Kind.IGNORED
    assert event.event_id == "evt_1Abc"
    assert (event.payment_id, event.amount_minor, event.currency, event.ordering_key) == (None,) * 4


def test_a_charge_without_an_intent_is_its_own_payment() -> None:
    event = decode("charge.captured", CHARGE | {"payment_intent": None})
    assert event.payment_id == "ch_3Abc"
    assert event.ordering_key == "stripe:ch_3Abc"


def test_a_refund_without_an_intent_belongs_to_its_charge() -> None:
    assert decode("refund.created", REFUND | {"payment_intent": None}).payment_id == "ch_3Abc"


def test_expanded_objects_are_read_like_their_ids() -> None:
    expanded = {"payment_intent": {"id": "pi_9", "object": "payment_intent"}, "customer": {"id": "cus_1"}}
    assert decode("charge.refunded", CHARGE | expanded).payment_id == "pi_9"


def test_a_charge_of_an_old_api_version_says_what_was_captured_by_what_was_not_refunded() -> None:
    old = {name: value for name, value in CHARGE.items() if name != "amount_captured"}
    assert decode("charge.captured", old).amount_minor == 1300


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 500), ("kwd", 5120), ("isk", 500), ("ugx", 500), ("mga", 7)])
def test_an_amount_is_passed_through_in_stripes_own_unit(currency: str, amount: int) -> None:
    event = decode("payment_intent.created", INTENT | {"currency": currency, "amount": amount})
    assert (event.amount_minor, event.currency) == (amount, currency.upper())


@pytest.mark.parametrize("metadata", [[], None, "odd", 5])
def test_metadata_that_is_no_object_is_nothing(metadata: object) -> None:
    assert decode("charge.captured", CHARGE | {"metadata": metadata}).metadata == {}


def test_metadata_is_kept_and_personal_fields_are_not() -> None:
    event = decode("payment_intent.succeeded", INTENT)
    assert event.metadata == {"order_id": "6735"}
    assert "jenny@example.com" not in repr(event)


def test_fields_that_are_not_needed_may_be_anything() -> None:
    odd = {"customer": 5, "description": [1], "livemode": "?", "source": {"a": {"b": []}}, "status": {}}
    assert decode("payment_intent.succeeded", INTENT | odd, request="req_1", api_version=None).kind is Kind.CAPTURED


@pytest.mark.parametrize(
    ("event_type", "thing", "path"),
    [
        ("payment_intent.created", INTENT | {"amount": -1}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": 20.5}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": 20.0}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": "2000"}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": True}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": None}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": 10**15}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"amount": 10**400}, "$.data.object.amount"),
        ("payment_intent.created", INTENT | {"currency": "zzz"}, "$.data.object.currency"),
        ("payment_intent.created", INTENT | {"currency": "\u0131nr"}, "$.data.object.currency"),
        ("payment_intent.created", INTENT | {"id": ""}, "$.data.object.id"),
        ("payment_intent.created", INTENT | {"id": " "}, "$.data.object.id"),
        ("payment_intent.created", INTENT | {"id": "pi_\n1"}, "$.data.object.id"),
        ("payment_intent.created", INTENT | {"id": "p" * 256}, "$.data.object.id"),
        ("payment_intent.created", {}, "$.data.object.id"),
        ("payment_intent.created", [], "$.data.object"),
        ("payment_intent.succeeded", INTENT | {"amount_received": None}, "$.data.object.amount_received"),
        ("charge.refunded", CHARGE | {"amount_refunded": None}, "$.data.object.amount_refunded"),
        ("charge.captured", CHARGE | {"payment_intent": 7}, "$.data.object.payment_intent"),
        ("charge.captured", CHARGE | {"payment_intent": {}}, "$.data.object.payment_intent.id"),
        ("refund.created", REFUND | {"payment_intent": None, "charge": None}, "$.data.object.charge"),
    ],
)
def test_a_wrong_object_is_refused_by_its_path(event_type: str, thing: object, path: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode_event(webhook(event_type, thing))
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": None}, "$.id"),
        ({"id": ""}, "$.id"),
        ({"created": -1}, "$.created"),
        ({"created": 1_767_225_600_000}, "$.created"),
        ({"created": "2026-01-01T00:00:00Z"}, "$.created"),
        ({"created": True}, "$.created"),
        ({"data": None}, "$.data"),
    ],
)
def test_a_wrong_envelope_is_refused_by_its_path(changes: dict[str, object], path: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode("payment_intent.created", INTENT, **changes)
    assert refused.value.path == path


def test_even_an_ignored_event_has_an_id() -> None:
    with pytest.raises(Undecodable) as refused:
        decode_event(b'{"object":"event","type":"customer.created","created":1}')
    assert (refused.value.path, refused.value.reason) == ("$.id", "missing")
