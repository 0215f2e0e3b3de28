import json
from datetime import UTC, datetime
from typing import Any

import pytest

from payments.event import Event, Kind, Provider
from payments.failures import Undecodable
from payments.providers.decoding import decode_event

API = "https://api.paypal.com"


def up(path: str) -> dict[str, Any]:
    return {"links": [{"href": f"{API}/self", "rel": "self"}, {"href": f"{API}{path}", "rel": "up", "method": "GET"}]}


AMOUNT = {"amount": {"currency_code": "USD", "value": "23.99"}}
RELATED = {"supplementary_data": {"related_ids": {"order_id": "1W5313"}}}
AUTHORIZATION = {"id": "2GG279", **AMOUNT, "status": "CREATED", "seller_protection": {"status": "ELIGIBLE"}}
CAPTURE = {"id": "023355", **AMOUNT, "status": "COMPLETED", "final_capture": True, "custom_id": "cart-7"}
REFUND = {"id": "1JU086", "amount": {"currency_code": "USD", "value": "3.99"}, **up("/v2/payments/captures/023355")}
ORDER = {
    "id": "5O1907",
    "intent": "CAPTURE",
    "payer": {"email_address": "buyer@example.com"},
    "purchase_units": [
        {"amount": {"currency_code": "USD", "value": "100.00"}, "payee": {"email_address": "seller@example.com"}},
        {"amount": {"currency_code": "USD", "value": "0.05"}},
    ],
}
SALE = {"id": "800216", "amount": {"total": "0.48", "currency": "USD"}, "parent_payment": "PAY-1", "state": "completed"}
SALE_REFUND = {"id": "6YX438", "sale_id": "800216", "parent_payment": "PAY-1", "amount": SALE["amount"]}
SALE_REVERSAL = {
    "id": "800216",
    "amount": {"total": "-0.49", "currency": "USD"},
    "links": [{"href": f"{API}/v1/payments/refund/776898", "rel": "self"}],
}
DISPUTE = {
    "dispute_id": "PP-000-042",
    "dispute_amount": {"currency_code": "USD", "value": "3.00"},
    "disputed_transactions": [{"seller_transaction_id": "00D104", "seller": {"merchant_id": "RD465"}}],
    "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
}


def webhook(event_type: str, resource: object, **changes: object) -> bytes:
    body = {
        "id": "WH-58D329",
        "event_version": "1.0",
        "create_time": "2026-01-01T01:30:00.250+01:30",
        "resource_type": "any",
        "event_type": event_type,
        "summary": "",
        "resource": resource,
        "links": [{"href": f"{API}/v1/notifications/webhooks-events/WH-58D329", "rel": "self"}],
    }
    return json.dumps(body | changes).encode()


def decode(event_type: str, resource: object, **changes: object) -> Event:
    return decode_event(webhook(event_type, resource, **changes))


@pytest.mark.parametrize(
    ("event_type", "resource", "kind", "amount_minor", "payment_id", "reference_id"),
    [
        ("CHECKOUT.ORDER.APPROVED", ORDER, Kind.REQUESTED, 10005, "5O1907", None),
        ("PAYMENT.AUTHORIZATION.CREATED", AUTHORIZATION, Kind.AUTHORIZED, 2399, "2GG279", None),
        ("PAYMENT.AUTHORIZATION.VOIDED", AUTHORIZATION, Kind.VOIDED, 2399, "2GG279", None),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE, Kind.CAPTURED, 2399, "023355", None),
        ("PAYMENT.CAPTURE.DENIED", CAPTURE, Kind.FAILED, 2399, "023355", None),
        ("PAYMENT.CAPTURE.DECLINED", CAPTURE, Kind.FAILED, 2399, "023355", None),
        ("PAYMENT.CAPTURE.REFUNDED", REFUND, Kind.REFUNDED, 399, "023355", "1JU086"),
        ("PAYMENT.CAPTURE.REVERSED", REFUND, Kind.REFUNDED, 399, "023355", "1JU086"),
        ("PAYMENT.SALE.COMPLETED", SALE, Kind.CAPTURED, 48, "800216", None),
        ("PAYMENT.SALE.DENIED", SALE, Kind.FAILED, 48, "800216", None),
        ("PAYMENT.SALE.REFUNDED", SALE_REFUND, Kind.REFUNDED, 48, "800216", "6YX438"),
        ("PAYMENT.SALE.REVERSED", SALE_REVERSAL, Kind.REFUNDED, 49, "800216", "776898"),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTE, Kind.DISPUTED, 300, "00D104", "PP-000-042"),
    ],
)
def test_an_event_means_what_paypal_says(
    event_type: str, resource: object, kind: Kind, amount_minor: int, payment_id: str, reference_id: str | None
) -> None:
    event = decode(event_type, resource)
    assert (event.provider, event.kind, event.amount_minor) == (Provider.PAYPAL, kind, amount_minor)
    assert (event.event_id, event.payment_id, event.reference_id) == ("WH-58D329", payment_id, reference_id)
    assert event.ordering_key == f"paypal:{payment_id}"
    assert event.currency == "USD"
    assert event.occurred_at == datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert "example.com" not in repr(event)


@pytest.mark.parametrize(
    ("event_type", "resource"),
    [
        ("PAYMENT.CAPTURE.PENDING", CAPTURE),
        ("PAYMENT.SALE.PENDING", SALE),
        ("CUSTOMER.DISPUTE.RESOLVED", DISPUTE),
        ("BILLING.SUBSCRIPTION.ACTIVATED", None),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTE | {"disputed_transactions": []}),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTE | {"disputed_transactions": [{"buyer_transaction_id": "x"}]}),
        (
            "CUSTOMER.DISPUTE.CREATED",
            DISPUTE | {"disputed_transactions": [{"seller_transaction_id": "a"}, {"seller_transaction_id": "b"}]},
        ),
    ],
)
def test_what_moves_no_money_is_ignored(event_type: str, resource: object) -> None:
    event = decode(event_type, resource)
    assert (event.kind, event.event_id) == (Kind.IGNORED, "WH-58D329")
    assert (event.payment_id, event.amount_minor, event.currency, event.ordering_key) == (None,) * 4


@pytest.mark.parametrize(
    ("event_type", "resource", "root", "parent"),
    [
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | RELATED, "1W5313", "1W5313"),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | up("/v2/checkout/orders/1W5313"), "1W5313", "1W5313"),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | up("/v2/payments/authorizations/2GG279"), "2GG279", "2GG279"),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | up("/v2/payments/authorizations/2GG279") | RELATED, "1W5313", "1W5313"),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | up("/somewhere/else"), "023355", None),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"parent_payment": "PAY-1"}, "023355", "PAY-1"),
        ("PAYMENT.AUTHORIZATION.CREATED", AUTHORIZATION | RELATED, "1W5313", "1W5313"),
        ("PAYMENT.CAPTURE.REFUNDED", REFUND | RELATED, "1W5313", "1W5313"),
        ("PAYMENT.CAPTURE.REFUNDED", REFUND, "023355", None),
        ("PAYMENT.SALE.COMPLETED", SALE, "800216", "PAY-1"),
        ("PAYMENT.SALE.REFUNDED", SALE_REFUND, "800216", "PAY-1"),
    ],
)
def test_a_payment_is_in_line_under_the_first_name_that_the_message_knows(
    event_type: str, resource: object, root: str, parent: str | None
) -> None:
    event = decode(event_type, resource)
    assert (event.ordering_key, event.parent_id) == (f"paypal:{root}", parent)


def test_a_capture_may_name_its_authorization_among_the_related_ids() -> None:
    related = {"supplementary_data": {"related_ids": {"authorization_id": "2GG279"}}}
    assert decode("PAYMENT.CAPTURE.COMPLETED", CAPTURE | related).ordering_key == "paypal:2GG279"


def test_a_refund_may_name_its_capture_among_the_related_ids() -> None:
    refund = {"id": "R1", **AMOUNT, "supplementary_data": {"related_ids": {"capture_id": "C1"}}}
    assert decode("PAYMENT.CAPTURE.REFUNDED", refund).payment_id == "C1"


def test_a_sale_refund_may_name_its_sale_by_a_link() -> None:
    refund = {"id": "R1", "amount": SALE["amount"], "links": [{"rel": "sale", "href": f"{API}/v1/payments/sale/S1"}]}
    assert decode("PAYMENT.SALE.REFUNDED", refund).payment_id == "S1"


def test_what_the_merchant_attached_is_metadata() -> None:
    assert decode("PAYMENT.CAPTURE.COMPLETED", CAPTURE).metadata == {"custom_id": "cart-7"}
    assert decode("PAYMENT.SALE.COMPLETED", SALE | {"custom": "c", "invoice_number": ""}).metadata == {"custom": "c"}


@pytest.mark.parametrize(
    ("value", "currency", "amount_minor"),
    [
        ("1200", "JPY", 1200),
        ("1200.00", "JPY", 1200),
        ("500", "HUF", 500),
        ("500.00", "TWD", 500),
        ("5.5", "EUR", 550),
        ("1.234", "TND", 1234),
    ],
)
def test_a_value_counts_the_units_of_paypal(value: str, currency: str, amount_minor: int) -> None:
    amount = {"amount": {"value": value, "currency_code": currency}}
    assert decode("PAYMENT.CAPTURE.COMPLETED", CAPTURE | amount).amount_minor == amount_minor


@pytest.mark.parametrize(
    ("event_type", "resource", "path"),
    [
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "C1"}, "$.resource.amount"),
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "C1", "amount": {}}, "$.resource.amount.value"),
        ("PAYMENT.CAPTURE.COMPLETED", {"id": "C1", "amount": {"value": "1"}}, "$.resource.amount.currency_code"),
        ("PAYMENT.CAPTURE.COMPLETED", {**AMOUNT}, "$.resource.id"),
        ("PAYMENT.CAPTURE.COMPLETED", None, "$.resource"),
        ("PAYMENT.CAPTURE.REFUNDED", {"id": "R1", **AMOUNT}, "$.resource.links"),
        ("PAYMENT.CAPTURE.REFUNDED", {"id": "R1", **AMOUNT, **up("/v2/payments/captures/")}, "$.resource.links"),
        ("PAYMENT.SALE.REFUNDED", {"id": "R1", **AMOUNT}, "$.resource.sale_id"),
        ("CHECKOUT.ORDER.APPROVED", {"id": "O1", "purchase_units": []}, "$.resource.purchase_units"),
        ("CHECKOUT.ORDER.APPROVED", {"id": "O1", "purchase_units": [{}]}, "$.resource.purchase_units[0].amount"),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTE | {"dispute_amount": None}, "$.resource.dispute_amount"),
    ],
)
def test_a_wrong_resource_is_refused_by_its_path(event_type: str, resource: object, path: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode(event_type, resource)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("value", "currency", "path"),
    [
        ("500.50", "JPY", "$.resource.amount.value"),
        ("500.5", "HUF", "$.resource.amount.value"),
        ("1.999", "USD", "$.resource.amount.value"),
        ("-1.00", "USD", "$.resource.amount.value"),
        ("1e2", "USD", "$.resource.amount.value"),
        (10.5, "USD", "$.resource.amount.value"),
        ("1.00", "QQQ", "$.resource.amount.currency_code"),
    ],
)
def test_a_wrong_amount_is_refused_by_its_path(value: object, currency: str, path: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decode("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"amount": {"value": value, "currency_code": currency}})
    assert refused.value.path == path


def test_an_order_in_two_currencies_is_refused() -> None:
    units = [{"amount": {"currency_code": code, "value": "1.00"}} for code in ("USD", "EUR")]
    with pytest.raises(Undecodable) as refused:
        decode("CHECKOUT.ORDER.APPROVED", {"id": "O1", "purchase_units": units})
    assert refused.value.path == "$.resource.purchase_units[1].amount"


def test_an_order_whose_parts_add_up_to_the_absurd_is_refused() -> None:
    units = [{"amount": {"currency_code": "USD", "value": "9999999999999.00"}}] * 2
    with pytest.raises(Undecodable, match="over the bound"):
        decode("CHECKOUT.ORDER.APPROVED", {"id": "O1", "purchase_units": units})


@pytest.mark.parametrize(
    "create_time", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "yesterday", 5, None]
)
def test_a_time_without_zone_or_out_of_range_is_refused(create_time: object) -> None:
    with pytest.raises(Undecodable) as refused:
        decode("PAYMENT.CAPTURE.COMPLETED", CAPTURE, create_time=create_time)
    assert refused.value.path == "$.create_time"
