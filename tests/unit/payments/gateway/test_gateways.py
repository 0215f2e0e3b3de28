"""What each gateway sends, and how it reads answers that the sandbox does not give."""

import json
from urllib.parse import parse_qsl

import httpx
import msgspec
import pytest

from payments.event import Provider
from payments.failures import AnswerUnreadable, OutcomeUnknown, Refused, Unavailable
from payments.gateway.client import Client, ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateway import Gateway
from payments.gateway.gateways import build_gateways
from payments.gateway.result import Answer, Charge, Stage, Standing, Verdict

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
    assert wire.gateway(Provider.CANONICAL).stand(charge) is None
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


@pytest.mark.parametrize("provider", list(Provider))
@pytest.mark.parametrize("body", [b"<html>", b"", b'{"id": 1}', b"\xff\xfe"])
def test_a_standing_that_cannot_be_read_leaves_nothing_in_doubt(provider: Provider, body: bytes) -> None:
    with pytest.raises(Unavailable):
        Wire((200, body)).gateway(provider).stand(CHARGE)


ERRORS = {
    Provider.STRIPE: {"error": {"code": "c", "message": "No such intent"}},
    Provider.RAZORPAY: {"error": {"code": "c", "description": "No such payment"}},
    Provider.PAYPAL: {"name": "n", "message": "general", "details": [{"issue": "c", "description": "No such capture"}]},
    Provider.CANONICAL: {"error": {"code": "c", "message": "No such thing"}},
}


@pytest.mark.parametrize(("provider", "body"), list(ERRORS.items()))
@pytest.mark.parametrize("verb", ["authorize", "capture", "void", "refund"])
def test_a_refusal_carries_the_providers_code_and_words(provider: Provider, body: object, verb: str) -> None:
    status = 422 if provider is not Provider.RAZORPAY else 403
    with pytest.raises(Refused) as caught:
        getattr(Wire((status, body)).gateway(provider), verb)(CHARGE, "key-of-the-step")
    assert caught.value.code == "c"
    assert caught.value.provider_message.startswith("No such")


@pytest.mark.parametrize(("provider", "body"), list(ERRORS.items()))
def test_a_question_that_was_refused_carries_them_too(provider: Provider, body: object) -> None:
    with pytest.raises(Refused) as caught:
        Wire((403, body)).gateway(provider).stand(CHARGE)
    assert (caught.value.code, caught.value.operation) == ("c", "stand")
    assert caught.value.provider_message.startswith("No such")


# -- how a payment stands: what the sandbox does not play --------------------------------------------------------------


def standing(provider: Provider, *answers: object, charge: Charge = CHARGE) -> Standing | None:
    return Wire(*((200, answer) for answer in answers)).gateway(provider).stand(charge)


def intent(status: str, **more: object) -> dict[str, object]:
    return {"id": "pi_1", "status": status, "amount": 1250, "amount_received": 0, **more}


def test_stripe_is_asked_for_the_intent_and_its_refunds_at_once() -> None:
    wire = Wire((200, intent("requires_capture", latest_charge={"id": "ch_1"})))
    found = wire.gateway(Provider.STRIPE).stand(CHARGE)
    assert found == Standing(stage=Stage.AUTHORIZED, amount_minor=1250, authorization_id="ch_1")
    (request,) = wire.requests
    assert request.url.params["expand[]"] == "latest_charge.refunds"


@pytest.mark.parametrize(
    "body",
    [
        intent("requires_confirmation"),
        intent("requires_action"),
        intent("processing"),
        intent("requires_payment_method"),
        intent("a_status_of_tomorrow"),
    ],
)
def test_a_stripe_intent_that_is_not_decided_is_open(body: dict[str, object]) -> None:
    found = standing(Provider.STRIPE, body)
    assert found is not None
    assert found.stage is Stage.OPEN


def test_an_answer_with_a_nul_which_the_ledger_could_not_keep_is_as_good_as_none() -> None:
    wire = Wire((200, {"id": "pi_1", "status": "succeeded", "amount_received": 1250, "latest_charge": "ch\0_1"}))
    with pytest.raises(AnswerUnreadable):
        wire.gateway(Provider.STRIPE).capture(CHARGE, "key")


def test_what_stripe_releases_of_a_canceled_intent_is_no_refund() -> None:
    """docs.stripe.com: the charge of a canceled intent shows its whole amount as refunded."""
    released = {"id": "ch_1", "amount_refunded": 1250, "refunds": {"data": [{"id": "re_1", "amount": 1250}]}}
    found = standing(Provider.STRIPE, intent("canceled", latest_charge=released))
    assert found is not None
    assert (found.stage, found.refunded_minor, found.refund_id) == (Stage.VOIDED, 0, None)


@pytest.mark.parametrize(("amount_refunded", "refunded", "refund_id"), [(250, 0, None), (350, 100, "re_2")])
def test_what_stripe_releases_of_a_partly_captured_intent_is_no_refund(
    amount_refunded: int, refunded: int, refund_id: str | None
) -> None:
    refunds = {"data": [{"id": "re_2", "amount": 100}, {"id": "re_1", "amount": 250}]}
    charged = {"id": "ch_1", "amount_refunded": amount_refunded, "refunds": refunds}
    found = standing(Provider.STRIPE, intent("succeeded", amount_received=1000, latest_charge=charged))
    assert found is not None
    assert (found.captured_minor, found.refunded_minor, found.refund_id) == (1000, refunded, refund_id)


def test_a_stripe_refund_that_failed_is_not_the_last_one() -> None:
    refunds = {"data": [{"id": "re_2", "amount": 5, "status": "failed"}, {"id": "re_1", "amount": 5}]}
    charged = {"id": "ch_1", "amount_refunded": 5, "refunds": refunds}
    found = standing(Provider.STRIPE, intent("succeeded", amount_received=1250, latest_charge=charged))
    assert found is not None
    assert (found.refunded_minor, found.refund_id) == (5, "re_1")


def test_a_razorpay_payment_that_was_refunded_and_never_captured_has_lapsed() -> None:
    body = {"id": "pay_1", "status": "refunded", "captured": False, "amount": 1250, "amount_refunded": 1250}
    found = standing(Provider.RAZORPAY, body)
    assert found is not None
    assert (found.stage, found.captured_minor, found.refunded_minor) == (Stage.VOIDED, 0, 0)


@pytest.mark.parametrize(
    ("statuses", "stage"),
    [
        ([], None),
        (["failed"], Stage.DECLINED),
        (["failed", "created"], Stage.OPEN),
        (["failed", "authorized", "created"], Stage.AUTHORIZED),
        (["failed", "captured", "authorized"], Stage.CAPTURED),
    ],
)
def test_that_payment_of_a_razorpay_order_counts_which_came_furthest(statuses: list[str], stage: Stage | None) -> None:
    items = [{"id": f"pay_{status}", "status": status, "captured": status == "captured"} for status in statuses]
    order = msgspec.structs.replace(CHARGE, payment_id="order_1")
    wire = Wire((200, {"items": items}))
    found = wire.gateway(Provider.RAZORPAY).stand(order)
    assert (None if found is None else found.stage) == stage
    assert [request.url.path for request in wire.requests] == ["/base/v1/orders/order_1/payments"]


def test_a_razorpay_id_that_is_no_payment_is_looked_up_as_an_order() -> None:
    unknown = (400, {"error": {"code": "BAD_REQUEST_ERROR", "description": "The id provided does not exist"}})
    wire = Wire(unknown, (200, {"items": [{"id": "pay_9", "status": "authorized", "captured": False}]}))
    found = wire.gateway(Provider.RAZORPAY).stand(CHARGE)
    assert found is not None
    assert (found.stage, found.authorization_id) == (Stage.AUTHORIZED, "pay_9")
    assert Wire(unknown, unknown).gateway(Provider.RAZORPAY).stand(CHARGE) is None


def order(authorizations: list[object], captures: list[object], refunds: list[object]) -> dict[str, object]:
    made = {"authorizations": authorizations, "captures": captures, "refunds": refunds}
    return {"id": "O1", "purchase_units": [{"payments": made}]}


def part(part_id: str, status: str, value: str = "12.50", **more: object) -> dict[str, object]:
    return {"id": part_id, "status": status, "amount": {"currency_code": "USD", "value": value}, **more}


@pytest.mark.parametrize(
    ("status", "captures", "stage"),
    [
        ("CREATED", [], Stage.AUTHORIZED),
        ("PENDING", [], Stage.OPEN),
        ("DENIED", [], Stage.DECLINED),
        ("VOIDED", [], Stage.VOIDED),
        ("CREATED", [part("C1", "DECLINED")], Stage.AUTHORIZED),
        ("CAPTURED", [part("C1", "PENDING")], Stage.OPEN),
        ("CAPTURED", [part("C1", "COMPLETED")], Stage.CAPTURED),
        ("CAPTURED", [], Stage.CAPTURED),
    ],
)
def test_a_paypal_order_stands_as_its_parts_say(status: str, captures: list[object], stage: Stage) -> None:
    found = standing(Provider.PAYPAL, order([part("A1", status)], captures, []))
    assert found is not None
    assert (found.stage, found.authorization_id) == (stage, "A1")
    assert found.captured_minor == (1250 if stage is Stage.CAPTURED else 0)


def test_paypals_refunds_count_unless_they_came_to_nothing() -> None:
    refunds: list[object] = [
        part("R3", "PENDING", "2.00", create_time="2026-01-03T00:00:00Z"),
        part("R1", "COMPLETED", "1.00", create_time="2026-01-01T00:00:00Z"),
        part("R4", "FAILED", "4.00", create_time="2026-01-04T00:00:00Z"),
        part("R2", "CANCELLED", "8.00", create_time="2026-01-02T00:00:00Z"),
    ]
    found = standing(Provider.PAYPAL, order([], [part("C1", "PARTIALLY_REFUNDED")], refunds))
    assert found is not None
    assert (found.captured_minor, found.refunded_minor, found.refund_id) == (1250, 300, "R3")


def test_two_captures_of_a_paypal_order_are_told_together() -> None:
    found = standing(Provider.PAYPAL, order([], [part("C1", "COMPLETED"), part("C2", "COMPLETED")], []))
    assert found is not None
    assert (found.captured_minor, found.capture_id) == (2500, "C1")


@pytest.mark.parametrize(("verb", "path"), [
    ("capture", "/base/v2/payments/authorizations/A1/capture"),
    ("void", "/base/v2/payments/authorizations/A1/void"),
    ("refund", "/base/v2/payments/captures/C1/refund"),
])  # fmt: skip
def test_paypal_gets_the_id_that_each_step_wants(verb: str, path: str) -> None:
    wire = Wire((201, part("X1", "COMPLETED")))
    charge = msgspec.structs.replace(CHARGE, payment_id="O1", authorization_id="A1", capture_id="C1")
    getattr(wire.gateway(Provider.PAYPAL), verb)(charge, "k")
    assert [request.url.path for request in wire.requests] == [path]


@pytest.mark.parametrize("verb", ["authorize", "capture", "void"])
def test_a_canonical_step_done_before_under_a_forgotten_key_is_done(verb: str) -> None:
    stages = {"authorize": "authorized", "capture": "captured", "void": "voided"}
    refused = (422, {"error": {"code": f"already_{stages[verb]}"}})
    state = {"state": stages[verb], "authorized_minor": 1250, "captured_minor": 1250 if verb == "capture" else None}
    answer = getattr(Wire(refused, (200, state)).gateway(Provider.CANONICAL), verb)(CHARGE, "k")
    assert (answer.verdict, answer.amount_minor) == (Verdict.DONE, 1250)


def test_a_canonical_capture_made_before_with_another_amount_is_refused() -> None:
    refused = (422, {"error": {"code": "already_captured"}})
    wire = Wire(refused, (200, {"state": "captured", "captured_minor": 999}))
    with pytest.raises(Refused):
        wire.gateway(Provider.CANONICAL).capture(CHARGE, "k")
