"""Providers' real answers, over a real connection, through the gateway that reads them."""

import json
from collections.abc import Callable

import pytest

from payments.borders.provider_codes import decline_of
from payments.event import Provider
from payments.failures import Failure
from payments.gateway.client import ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateways import build_gateways
from payments.gateway.result import Answer, Charge, Verdict
from tests.failure_stages.network import Staged, says, serving

CHARGE = Charge(payment_id="pay_1", amount_minor=1250, currency="USD")


def answers(provider: Provider, status: int, body: object = "", verb: str = "refund", **headers: str) -> Staged:
    """Return a stage: the provider answers `verb` with this status, body and headers."""

    def staged(_request: pytest.FixtureRequest) -> Failure:
        with pytest.raises(Failure) as caught:
            _asked(provider, status, body, verb, headers)
        return caught.value

    return staged


def declines(provider: Provider, code: str) -> Staged:
    """Return a stage: the provider declines a capture; the failure is the one that stands for such a decline."""

    def staged(_request: pytest.FixtureRequest) -> Failure:
        status, body = _DECLINES[provider](code)
        answer = _asked(provider, status, body, "capture", {})
        assert answer.verdict is Verdict.DECLINED
        return decline_of(provider, answer.code)("declined", code=answer.code)

    return staged


def undecided_at_stripe(request: pytest.FixtureRequest) -> Failure:
    body = {"id": "pi_1", "status": "processing", "amount": 1250, "amount_received": 0}
    return answers(Provider.STRIPE, 200, body, "capture")(request)


def stripe(status: int, kind: str, code: str | None = None) -> Staged:
    """Return a stage: Stripe's body of an error."""
    return answers(Provider.STRIPE, status, {"error": {"type": kind, "code": code, "message": "…"}})


def razorpay(status: int, code: str, reason: str | None = None) -> Staged:
    """Return a stage: Razorpay's body of an error."""
    error = {"code": code, "description": "…", "step": "NA", "reason": reason or "NA"}
    return answers(Provider.RAZORPAY, status, {"error": error})


def paypal(status: int, name: str, issue: str | None = None) -> Staged:
    """Return a stage: PayPal's body of an error."""
    details = [{"issue": issue, "description": "…"}] if issue else []
    return answers(Provider.PAYPAL, status, {"name": name, "message": "…", "details": details})


def canonical(status: int, code: str = "x", **headers: str) -> Staged:
    """Return a stage: our own protocol's body of an error."""
    return answers(Provider.CANONICAL, status, {"error": {"code": code}}, **headers)


def _asked(provider: Provider, status: int, body: object, verb: str, headers: dict[str, str]) -> Answer:
    with serving(says(_wire(status, body, headers))) as address:
        endpoint = Endpoint(base_url=f"http://{address}", api_key="id:secret")
        gateway = build_gateways({provider: endpoint}, ClientPolicy())[provider]
        step: Callable[[Charge, str], Answer] = getattr(gateway, verb)
        return step(CHARGE, "the-key-of-this-step")


def _wire(status: int, body: object, headers: dict[str, str]) -> bytes:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    told = {"Content-Length": str(len(content)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


_DECLINES: dict[Provider, Callable[[str], tuple[int, object]]] = {
    Provider.STRIPE: lambda code: (
        402,
        {"error": {"type": "card_error", "code": "card_declined", "decline_code": code}},
    ),
    Provider.RAZORPAY: lambda code: (
        400,
        {"error": {"code": "BAD_REQUEST_ERROR", "step": "payment_authorization", "reason": code}},
    ),
    Provider.PAYPAL: lambda code: (422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": code}]}),
    Provider.CANONICAL: lambda code: (200, {"verdict": "declined", "amount_minor": 0, "code": code}),
}
