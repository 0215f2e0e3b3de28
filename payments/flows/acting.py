"""Asking the provider for what an event requests, one step after the other."""

import uuid

import msgspec

from payments.failures import Failure, Refused, RuleBroken, Unavailable
from payments.flows.desk import Desk
from payments.gateway.result import Answer, Charge, Verdict
from payments.ledger.aliases import other_name
from payments.ledger.claims import Claim
from payments.lifecycle import Act, Apply, Step, completed, decide, declined
from payments.payment import Payment, Status

_KEYS = uuid.UUID("8f7bb8e6-8d0b-5e05-a1f8-0c5a2c5d0d6e")


class LeaseLost(Exception):
    """Between two steps the row turned out to be somebody else's. They go on from here, under the same keys."""


def act(desk: Desk, claim: Claim, plan: Act) -> tuple[Apply, bool]:
    """Take the steps of `plan`; return what to book, and whether the provider said yes.

    Raises what the gateway raises, and LeaseLost. No connection or lock is held meanwhile.
    """
    payment = plan.payment
    for step in plan.steps:
        answer = _ask(desk, payment, step)
        if answer.verdict is Verdict.DECLINED:
            return declined(payment), False
        if step is Step.CAPTURE:
            return completed(payment, _agreed(payment, answer), answer.reference_id), True
        payment = _authorized(desk, claim, payment, answer)
    raise RuleBroken("a plan must end with a capture", code="plan_without_capture")


def already_taken(desk: Desk, claim: Claim, failure: Failure) -> Apply | None:
    """Ask the provider, before an event is buried, whether the money was taken all the same; return what to book then.

    Only where the answer is open: not where the provider or a rule of ours refused.
    """
    if isinstance(failure, Refused | RuleBroken):
        return None
    plan = decide(claim.payment, claim.event)
    gateway = desk.gateways.get(claim.event.provider)
    if not isinstance(plan, Act) or gateway is None:
        return None
    try:
        answer = gateway.fetch(_charge(plan.payment))
    except Exception:  # noqa: BLE001 - whatever it is, the event must be buried now, for a person to look at
        return None
    if answer is None or answer.verdict is Verdict.DECLINED or answer.amount_minor != plan.payment.amount_minor:
        return None
    return completed(plan.payment, answer.amount_minor, answer.reference_id)


def idempotency_key(ordering_key: str, step: Step) -> str:
    """Return the key under which a provider knows this step of this payment, whoever takes it and how often."""
    return str(uuid.uuid5(_KEYS, f"{ordering_key}/{step}"))


def _ask(desk: Desk, payment: Payment, step: Step) -> Answer:
    gateway = desk.gateways.get(payment.provider)
    if gateway is None:
        raise Unavailable("this provider has no base URL", code="gateway_not_configured", service=payment.provider)
    verb = gateway.authorize if step is Step.AUTHORIZE else gateway.capture
    return verb(_charge(payment), idempotency_key(payment.ordering_key, step))


def _charge(payment: Payment) -> Charge:
    return Charge(
        payment_id=payment.payment_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        authorization_id=payment.authorization_id,
    )


def _authorized(desk: Desk, claim: Claim, payment: Payment, answer: Answer) -> Payment:
    """Learn the authorization's own name before its capture can be told of, and prolong the lease."""
    alias = other_name(payment, answer.reference_id)
    if not desk.claims.keep(claim, desk.policy.lease_seconds, alias):
        raise LeaseLost
    return msgspec.structs.replace(payment, status=Status.AUTHORIZED, authorization_id=answer.reference_id)


def _agreed(payment: Payment, answer: Answer) -> int:
    """Return the captured amount, which must be the one that was asked for."""
    if answer.amount_minor != payment.amount_minor:
        raise RuleBroken(
            f"asked to capture {payment.amount_minor}, the provider captured {answer.amount_minor}",
            code="captured_other_amount",
            service=payment.provider,
            operation="capture",
        )
    return answer.amount_minor
