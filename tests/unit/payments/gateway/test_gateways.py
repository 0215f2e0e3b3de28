"""What each gateway sends, and how it reads answers that the sandbox does not give."""

import json
from urllib.parse import parse_qsl

import httpx
import pytest

from payments.event import Provider
from payments.failures import OutcomeUnknown, Refused, Unavailable
from payments.gateway.client import Client, ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateway import Gateway
from payments.gateway.gateways import build_gateways
from payments.gateway.result import Answer, Charge, Verdict

CHARGE = Charge(payment_id="pay_1", amount_minor=1250, currency="USD")


class Wire:
    """A provider that answers from a list and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content)

    def gateway(self, provider: Provider) -> Gateway:
        client = Client(ClientPolicy(), httpx.MockTransport(self))
        endpoint = Endpoint(base_url="http://provider.test:81/base/", api_key="id:secret")
        return build_gateways({provider: endpoint}, ClientPolicy(), client)[provider]


def test_stripe_captures_by_form_with_bearer_and_key() -> None:
    wire = Wire((200, {"id": "pi_1", "status": "succeeded", "amount_received": 1250, "latest_charge": "ch_1"}))
    answer = wire.gateway(Provider.STRIPE).capture(CHARGE, "stripe:pay_1:capture")
    assert answer == Answer(verdict=Verdict.DONE, amount_minor=1250, reference_id="ch_1")
    (request,) = wire.requests
    assert str(request.url) == "http://provider.test:81/base/v1/payment_intents/pay_1/capture"
    assert request.headers["host"] == "provider.test:81"
    assert request.headers["authorization"] == "Bearer id:secret"
    assert request.headers["idempotency-key"] == "stripe:pay_1:capture"
    assert dict(parse_qsl(request.content.decode())) == {"amount_to_capture": "1250"}


def test_paypal_captures_the_authorization_with_a_decimal_amount() -> None:
    part = {"id": "C1", "status": "COMPLETED", "amount": {"currency_code": "USD", "value": "12.50"}}
    wire = Wire((201, part))
    charge = Charge(payment_id="O1", amount_minor=1250, currency="USD", authorization_id="A1")
    answer = wire.gateway(Provider.PAYPAL).capture(charge, "paypal:O1:capture")
    assert answer == Answer(verdict=Verdict.DONE, amount_minor=1250, reference_id="C1")
    (request,) = wire.requests
    assert request.url.path == "/base/v2/payments/authorizations/A1/capture"
    assert request.headers["paypal-request-id"] == "paypal:O1:capture"
    amount = {"currency_code": "USD", "value": "12.50"}
    assert json.loads(request.content) == {"amount": amount, "final_capture": True}


def test_razorpay_refunds_under_a_key_in_the_alphabet_that_it_allows() -> None:
    wire = Wire(*[(200, {"id": "rfnd_1", "amount": 1250})] * 2)
    gateway = wire.gateway(Provider.RAZORPAY)
    gateway.refund(CHARGE, "razorpay:pay_1:refund")
    gateway.refund(CHARGE, "razorpay:pay_1:refund")
    first, second = (request.headers["x-refund-idempotency"] for request in wire.requests)
    assert first == second
    assert first.isalnum()


def test_a_payment_id_cannot_leave_its_place_in_the_path() -> None:
    wire = Wire((404, {}))
    charge = Charge(payment_id="../../v1/refunds?x#y", amount_minor=1, currency="USD")
    assert wire.gateway(Provider.CANONICAL).fetch(charge) is None
    path = wire.requests[0].url.raw_path.decode()
    assert path.startswith("/base/payments/")
    assert path.count("/") == 3
    assert not {"?", "#"} & set(path)


@pytest.mark.parametrize("provider", list(Provider))
@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b'{"id": 1}', b"\xff\xfe"])
def test_a_success_that_cannot_be_read_leaves_the_outcome_unknown(provider: Provider, body: bytes) -> None:
    gateway = Wire((200, body)).gateway(provider)
    with pytest.raises(OutcomeUnknown):
        gateway.capture(CHARGE, "key-of-the-capture")


@pytest.mark.parametrize("provider", list(Provider))
@pytest.mark.parametrize("body", [b"<html>sk_live_1</html>", b"", b'{"error": "sk_live_1"}', b"null"])
def test_an_error_page_of_a_proxy_is_read_by_its_status(provider: Provider, body: bytes) -> None:
    gateway = Wire((503, body)).gateway(provider)
    with pytest.raises(Unavailable) as caught:
        gateway.refund(CHARGE, "key-of-the-refund")
    assert caught.value.code == "http_503"
    assert "sk_live_1" not in str(caught.value)


def test_a_stripe_intent_in_work_leaves_the_outcome_unknown() -> None:
    gateway = Wire((200, {"id": "pi_1", "status": "processing"})).gateway(Provider.STRIPE)
    with pytest.raises(OutcomeUnknown):
        gateway.capture(CHARGE, "k")


def test_a_stripe_capture_made_before_with_another_amount_is_refused() -> None:
    intent = {"id": "pi_1", "status": "succeeded", "amount_received": 999}
    error = {"code": "payment_intent_unexpected_state", "payment_intent": intent}
    gateway = Wire((400, {"error": error})).gateway(Provider.STRIPE)
    with pytest.raises(Refused):
        gateway.capture(CHARGE, "k")


def test_a_razorpay_capture_made_before_with_another_amount_is_refused() -> None:
    refused = (400, {"error": {"code": "BAD_REQUEST_ERROR", "reason": "NA"}})
    payment = (200, {"id": "pay_1", "status": "captured", "amount": 999})
    gateway = Wire(refused, payment).gateway(Provider.RAZORPAY)
    with pytest.raises(Refused):
        gateway.capture(CHARGE, "k")


def test_a_paypal_capture_under_review_leaves_the_outcome_unknown() -> None:
    gateway = Wire((201, {"id": "C1", "status": "PENDING"})).gateway(Provider.PAYPAL)
    with pytest.raises(OutcomeUnknown):
        gateway.capture(CHARGE, "k")


def test_a_paypal_request_still_at_work_is_unavailable() -> None:
    body = {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "PREVIOUS_REQUEST_IN_PROGRESS"}]}
    gateway = Wire((422, body)).gateway(Provider.PAYPAL)
    with pytest.raises(Unavailable):
        gateway.capture(CHARGE, "k")


def test_a_payer_who_would_have_to_be_present_is_declined() -> None:
    wire = Wire((402, {"error": {"code": "authentication_required", "type": "card_error"}}))
    answer = wire.gateway(Provider.STRIPE).authorize(CHARGE, "k")
    assert (answer.verdict, answer.code) == (Verdict.DECLINED, "authentication_required")
