"""Who pays is read where a provider says so, and never stops a payment."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.event import Event, Provider
from payments.providers.customer import email_of, reference_of
from payments.providers.decoding import decode_event

SECOND = 1_767_225_600
MOMENT = "2026-01-01T00:00:00Z"
JO = ("cus_1", "jo@example.com")
USD = {"value": "5.00", "currency_code": "USD"}
STRIPE_THING = {"id": "ch_1", "charge": "ch_1", "status": "succeeded", "amount": 500, "currency": "usd"}
RAZORPAY_THING = {"id": "pay_1", "payment_id": "pay_1", "amount": 500, "currency": "INR"}
PAYPAL_UP = {"links": [{"rel": "up", "href": "x/captures/C1"}]}


def stripe(type_: str, **told: object) -> dict[str, Any]:
    amounts = dict.fromkeys(("amount_received", "amount_captured", "amount_refunded"), 500)
    thing = STRIPE_THING | amounts | told
    return {"id": "evt_1", "object": "event", "created": SECOND, "type": type_, "data": {"object": thing}}


def razorpay(event: str, **told: object) -> dict[str, Any]:
    subject = {"refund.processed": "refund", "payment.dispute.created": "dispute"}.get(event, "payment")
    payload = {subject: {"entity": RAZORPAY_THING | told}}
    return {"entity": "event", "event": event, "created_at": SECOND, "payload": payload}


def paypal(type_: str, **told: object) -> dict[str, Any]:
    resource = {"id": "R1", "amount": USD, "purchase_units": [{"amount": USD}], **PAYPAL_UP} | told
    return {"id": "WH-1", "event_type": type_, "create_time": MOMENT, "resource": resource}


def canonical(**told: object) -> dict[str, Any]:
    return {"id": "p1", "amount": "5.00", "currency": "EUR", "status": "paid", "created_at": MOMENT} | told


def decode(document: dict[str, Any]) -> Event:
    return decode_event(json.dumps(document).encode())


def customer(document: dict[str, Any]) -> tuple[str | None, str | None]:
    event = decode(document)
    return event.customer_reference, event.customer_email


PAYER = {"payer_id": "cus_1", "email_address": "jo@example.com"}
WALLET = {"paypal": {"account_id": "cus_1", "email_address": "jo@example.com"}}


@pytest.mark.parametrize(
    "document",
    [
        stripe("payment_intent.succeeded", customer="cus_1", receipt_email="jo@example.com"),
        stripe("payment_intent.created", customer={"id": "cus_1", "name": "Jo"}, receipt_email="jo@example.com"),
        stripe("charge.captured", customer="cus_1", receipt_email=None, billing_details={"email": "jo@example.com"}),
        stripe("charge.refunded", customer="cus_1", receipt_email="jo@example.com", billing_details={"email": "x@y.z"}),
        razorpay("payment.captured", customer_id="cus_1", email="jo@example.com"),
        razorpay("payment.failed", customer_id="cus_1", email="jo@example.com"),
        paypal("CHECKOUT.ORDER.APPROVED", payer=PAYER),
        paypal("CHECKOUT.ORDER.APPROVED", payment_source=WALLET),
        paypal("PAYMENT.CAPTURE.COMPLETED", payer=PAYER),
        paypal("PAYMENT.AUTHORIZATION.CREATED", payer={"payer_id": "cus_1"}, payment_source=WALLET),
        paypal("PAYMENT.SALE.COMPLETED", payer=PAYER),
        canonical(customer_reference="cus_1", customer_email="jo@example.com"),
        canonical(customer_reference="cus_1", customer_email="jo@example.com", provider="stripe"),
    ],
    ids=range(13),
)
def test_each_provider_s_customer_is_read(document: dict[str, Any]) -> None:
    assert customer(document) == JO


@pytest.mark.parametrize(
    "document",
    [
        stripe("payment_intent.succeeded"),
        stripe("refund.created", customer="cus_1", receipt_email="jo@example.com"),
        stripe("charge.dispute.created", customer="cus_1", receipt_email="jo@example.com"),
        razorpay("payment.captured"),
        razorpay("payment.captured", email="void@razorpay.com"),
        razorpay("refund.processed", customer_id="cus_1", email="jo@example.com"),
        paypal("PAYMENT.CAPTURE.COMPLETED", payee={"email_address": "shop@example.com", "merchant_id": "M1"}),
        paypal("PAYMENT.CAPTURE.REFUNDED", payer={"email_address": "shop@example.com", "merchant_id": "M1"}),
        paypal("PAYMENT.CAPTURE.COMPLETED", payment_source={"card": {"last_digits": "4242"}}),
        canonical(),
        canonical(customer_reference=None, customer_email=None),
        canonical(status="reviewed", customer_reference="cus_1"),
    ],
    ids=range(12),
)
def test_who_does_not_pay_is_no_customer(document: dict[str, Any]) -> None:
    assert customer(document) == (None, None)


ODD = [
    *(None, True, 7, 1.5, [], {}, "", [["jo@example.com"]], {"id": ["cus_1"]}, {"id": {"id": "cus_1"}}),
    *(
        {"email": 7},
        {"paypal": 7},
        {"paypal": {"email_address": [], "account_id": {}}},
        "two\nlines",
        " edge",
        300 * "x",
    ),
]
FIELDS = [
    *((stripe, "payment_intent.succeeded", field) for field in ("customer", "receipt_email")),
    (stripe, "charge.captured", "billing_details"),
    *((razorpay, "payment.captured", field) for field in ("customer_id", "email")),
    *((paypal, "CHECKOUT.ORDER.APPROVED", field) for field in ("payer", "payment_source")),
    *((lambda _, **told: canonical(**told), "", field) for field in ("customer_reference", "customer_email")),
]


@pytest.mark.parametrize(("wording", "name", "field"), FIELDS, ids=range(len(FIELDS)))
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_strange_customer_is_none_and_the_payment_stands(wording: Any, name: str, field: str, odd: object) -> None:  # noqa: ANN401 - either form
    event = decode(wording(name, **{field: odd}))
    assert (event.customer_reference, event.customer_email) == (None, None)
    assert event.amount_minor == 500


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 400])
def test_a_number_too_large_for_any_reader_is_no_customer_either(number: bytes) -> None:
    document = json.dumps(canonical(customer_reference="here", customer_email="jo@example.com")).encode()
    event = decode_event(document.replace(b'"here"', number))
    assert (event.customer_reference, event.customer_email) == (None, "jo@example.com")


def test_an_email_does_not_hide_in_a_reference() -> None:
    assert customer(canonical(customer_reference="jo@example.com")) == (None, None)
    assert reference_of("cus 1") == "cus 1"


def test_a_customer_told_twice_is_the_last_one_and_the_payment_stands() -> None:
    document = json.dumps(canonical(customer_email="first@example.com"))[:-1] + ', "customer_email": "jo@example.com"}'
    assert decode_event(document.encode()).customer_email == "jo@example.com"


@pytest.mark.parametrize(
    "text", ["jo", "@", "jo@", "@b.example", "a@b@c", "jo @b.example", "jo@b\n.example", "jo@b\u200b"]
)
def test_what_is_no_address_is_no_email(text: str) -> None:
    assert email_of(text) is None


def test_an_address_of_254_characters_is_the_longest() -> None:
    assert email_of("a" * 242 + "@example.com") is not None
    assert email_of("a" * 243 + "@example.com") is None


@given(st.text())
def test_what_is_read_as_an_email_has_one_at_and_nothing_that_cannot_be_seen(text: str) -> None:
    email = email_of(text)
    assert email is None or (email == text and email.count("@") == 1 and email.isprintable() and len(email) <= 254)


@pytest.mark.parametrize("provider", list(Provider))
def test_a_customer_survives_the_event_s_own_encoding(provider: Provider) -> None:
    event = decode(canonical(provider=provider, customer_reference="cus_1", customer_email="jo@example.com"))
    assert msgspec.convert(msgspec.to_builtins(event), Event) == event


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "DE89370400440532013000",
        "GB82 WEST 1234 5698 7654 32",
        "de89-3704-0044-0532-0130-00",
        "+491701234567",
        "+1 (555) 010-9999",
        "tel:+44-20-7946-0958",
    ],
)
def test_the_number_of_a_card_an_account_or_a_telephone_is_no_name_of_a_customer(number: str) -> None:
    assert customer(canonical(customer_reference=number)) == (None, None)


@pytest.mark.parametrize(
    "name",
    [
        "4242424242424241",
        "100000012345",
        "10000001234567890123",
        "491701234567",
        "DE88370400440532013000",
        "de89be00-0000-4000-8000-000000000000",
        "cus_NffrFeUfNV2Hib",
        "cust_1Aa00000000004",
        "QYR5Z8XDVJNXQ",
        "+1",
    ],
)
def test_any_other_number_or_word_is_one(name: str) -> None:
    assert customer(canonical(customer_reference=name)) == (name, None)
