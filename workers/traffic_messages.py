"""How each provider words what happens to a payment, for made-up traffic.

Every message holds a customer's e-mail and data that looks like a card's, as real ones do, so that a test can show that
neither gets any further. All of it is invented: test card numbers and `example.com`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from payments.event import Provider
from payments.money import format_minor
from payments.providers import paypal

Body = dict[str, Any]


class Payment(msgspec.Struct):
    """A payment that never was. Amounts in the minor units that its provider counts."""

    provider: Provider
    token: str
    life: tuple[str, ...]
    amount_minor: int
    part_minor: int
    """What `part_refunded` gives back; `rest_refunded` gives back the rest."""

    currency: str
    email: str
    card: str
    plain: bool
    """Which of two wordings the provider uses for this payment, where it has two."""

    @property
    def ordering_key(self) -> str:
        """The key that decode_event finds in all messages of this payment."""
        return f"{self.provider}:{ROOT_NAMES[self.provider](self)}"

    def refunded_minor(self, step: str) -> int:
        """Return what one of the two refunds gives back."""
        return self.part_minor if step == "part_refunded" else self.amount_minor - self.part_minor


def _paypal_root(payment: Payment) -> str:
    if payment.life[0] in ("requested", "authorized"):
        return f"{'ORD' if payment.life[0] == 'requested' else 'AUT'}{payment.token}"
    return f"CAP{payment.token}"


ROOT_NAMES: dict[Provider, Callable[[Payment], str]] = {
    Provider.STRIPE: lambda payment: f"pi_{payment.token}",
    Provider.RAZORPAY: lambda payment: f"pay_{payment.token}",
    Provider.PAYPAL: _paypal_root,
    Provider.CANONICAL: lambda payment: f"pay-{payment.token}",
}

STRIPE_TYPES = {
    "requested": ("payment_intent.created", "payment_intent.created"),
    "authorized": ("payment_intent.amount_capturable_updated", "charge.succeeded"),
    "captured": ("payment_intent.succeeded", "charge.captured"),
    "failed": ("payment_intent.payment_failed", "charge.failed"),
    "voided": ("payment_intent.canceled", "charge.expired"),
    "part_refunded": ("charge.refunded", "refund.created"),
    "rest_refunded": ("charge.refunded", "refund.updated"),
    "disputed": ("charge.dispute.created", "charge.dispute.created"),
    "unhandled": ("customer.updated", "payment_intent.processing"),
}
RAZORPAY_EVENTS = {
    "authorized": ("payment.authorized", "payment.authorized"),
    "captured": ("payment.captured", "order.paid"),
    "failed": ("payment.failed", "payment.failed"),
    "part_refunded": ("refund.processed", "refund.processed"),
    "rest_refunded": ("refund.processed", "refund.processed"),
    "disputed": ("payment.dispute.created", "payment.dispute.created"),
    "unhandled": ("invoice.paid", "payment.downtime.started"),
}
PAYPAL_TYPES = {
    "requested": ("CHECKOUT.ORDER.APPROVED", "CHECKOUT.ORDER.APPROVED"),
    "authorized": ("PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.AUTHORIZATION.CREATED"),
    "captured": ("PAYMENT.CAPTURE.COMPLETED", "PAYMENT.SALE.COMPLETED"),
    "failed": ("PAYMENT.CAPTURE.DENIED", "PAYMENT.SALE.DENIED"),
    "voided": ("PAYMENT.AUTHORIZATION.VOIDED", "PAYMENT.AUTHORIZATION.VOIDED"),
    "part_refunded": ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.SALE.REFUNDED"),
    "rest_refunded": ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.SALE.REFUNDED"),
    "disputed": ("CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.CREATED"),
    "unhandled": ("BILLING.SUBSCRIPTION.ACTIVATED", "PAYMENT.CAPTURE.PENDING"),
}
CANONICAL_STATUSES = {
    "requested": ("pending", "requested"),
    "authorized": ("authorized", "authorized"),
    "captured": ("completed", "paid"),
    "failed": ("failed", "declined"),
    "voided": ("voided", "cancelled"),
    "part_refunded": ("refunded", "refunded"),
    "rest_refunded": ("refunded", "refunded"),
    "disputed": ("disputed", "chargeback"),
    "unhandled": ("reviewed", "note_added"),
}


def stripe(payment: Payment, step: str, second: int) -> Body:
    """Return a Stripe event."""
    name = STRIPE_TYPES[step][not payment.plain]
    return {
        "id": f"evt_{payment.token}{step}",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": second,
        "data": {"object": _stripe_object(payment, step, name)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": f"req_{payment.token}", "idempotency_key": payment.token},
        "type": name,
    }


def _stripe_object(payment: Payment, step: str, name: str) -> Body:
    thing = {
        "amount": payment.amount_minor,
        "currency": payment.currency.lower(),
        "customer": f"cus_{payment.token}",
        "metadata": {"order": payment.token},
        "receipt_email": payment.email,
    }
    if name.startswith("payment_intent"):
        received = payment.amount_minor if step == "captured" else 0
        capturable = payment.amount_minor if step == "authorized" else 0
        intent = {"id": f"pi_{payment.token}", "object": "payment_intent"}
        return thing | intent | {"amount_received": received, "amount_capturable": capturable}
    thing |= {"payment_intent": f"pi_{payment.token}"}
    if name.startswith(("refund", "charge.dispute")):
        return thing | _stripe_refund_or_dispute(payment, step)
    return thing | _stripe_charge(payment, step)


def _stripe_charge(payment: Payment, step: str) -> Body:
    taken = step in ("captured", "part_refunded", "rest_refunded")
    refunded = {"part_refunded": payment.part_minor, "rest_refunded": payment.amount_minor}.get(step, 0)
    return {
        "id": f"ch_{payment.token}",
        "object": "charge",
        "captured": taken,
        "amount_captured": payment.amount_minor if taken else 0,
        "amount_refunded": refunded,
        "billing_details": {"email": payment.email, "name": "Jo Example"},
        "payment_method_details": {"card": {"last4": payment.card[-4:], "number": payment.card}, "type": "card"},
    }


def _stripe_refund_or_dispute(payment: Payment, step: str) -> Body:
    if step == "disputed":
        return {"id": f"dp_{payment.token}", "object": "dispute", "charge": f"ch_{payment.token}"}
    return {
        "id": f"re_{payment.token}{step}",
        "object": "refund",
        "amount": payment.refunded_minor(step),
        "charge": f"ch_{payment.token}",
        "status": "succeeded",
    }


def razorpay(payment: Payment, step: str, second: int) -> Body:
    """Return a Razorpay event. Its id is not in the body: see `header_event_id`."""
    name = RAZORPAY_EVENTS[step][not payment.plain]
    entities: Body = {"payment": {"entity": _razorpay_payment(payment, step, second)}}
    if step == "disputed":
        entities["dispute"] = {"entity": _razorpay_part(payment, f"disp_{payment.token}", payment.amount_minor, second)}
    if step.endswith("refunded"):
        part = _razorpay_part(payment, f"rfnd_{payment.token}{step}", payment.refunded_minor(step), second)
        entities["refund"] = {"entity": part}
    return {
        "entity": "event",
        "account_id": "acc_example",
        "event": name,
        "contains": list(entities),
        "payload": entities,
        "created_at": second,
    }


def header_event_id(payment: Payment, step: str) -> str:
    """Return what Razorpay sends as `x-razorpay-event-id`, the same for every delivery."""
    return f"{payment.token}{step}"


def _razorpay_payment(payment: Payment, step: str, second: int) -> Body:
    return {
        "id": f"pay_{payment.token}",
        "entity": "payment",
        "amount": payment.amount_minor,
        "currency": payment.currency,
        "status": step,
        "order_id": f"order_{payment.token}",
        "method": "card",
        "card": {"last4": payment.card[-4:], "number": payment.card, "cvv": "123"},
        "customer_id": f"cust_{payment.token}",
        "email": payment.email,
        "contact": "+910000000000",
        "notes": {"order": payment.token} if payment.plain else [],
        "created_at": second,
    }


def _razorpay_part(payment: Payment, part_id: str, amount_minor: int, second: int) -> Body:
    return {
        "id": part_id,
        "payment_id": f"pay_{payment.token}",
        "amount": amount_minor,
        "currency": payment.currency,
        "notes": [],
        "created_at": second,
    }


def paypal_event(payment: Payment, step: str, second: int) -> Body:
    """Return a PayPal event."""
    moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # v1 sales have neither order nor authorization, so only a life that begins with one can be told in v1
    v1 = not payment.plain and payment.life[0] in ("captured", "failed", "unhandled")
    name = PAYPAL_TYPES[step][v1]
    card = {"number": payment.card, "security_code": "123"}
    payer = {"payer_id": payment.token[-13:], "email_address": payment.email, "card": card}
    return {
        "id": f"WH-{payment.token}-{step}",
        "event_version": "1.0",
        "create_time": moment,
        "event_type": name,
        "summary": "made up",
        "resource": _paypal_resource(payment, step, v1=v1) | {"payer": payer, "create_time": moment},
    }


def _paypal_resource(payment: Payment, step: str, *, v1: bool) -> Body:
    if step == "requested":
        return {
            "id": f"ORD{payment.token}",
            "purchase_units": [{"amount": _paypal_money(payment, payment.amount_minor)}],
        }
    if step == "disputed":
        return {
            "dispute_id": f"PP-D-{payment.token}",
            "dispute_amount": _paypal_money(payment, payment.amount_minor),
            "disputed_transactions": [{"seller_transaction_id": f"CAP{payment.token}"}],
        }
    if step.endswith("refunded"):
        return _paypal_refund(payment, step, v1=v1)
    own = "AUT" if step in ("authorized", "voided") else "CAP"
    resource = {"id": f"{own}{payment.token}", "amount": _paypal_money(payment, payment.amount_minor, v1=v1)}
    return resource | _paypal_origin(payment, step)


def _paypal_refund(payment: Payment, step: str, *, v1: bool) -> Body:
    refund = {
        "id": f"REF{payment.token}{step}",
        "amount": _paypal_money(payment, payment.refunded_minor(step), v1=v1),
    }
    if v1:
        return refund | {"sale_id": f"CAP{payment.token}"}
    return refund | {"links": [_paypal_link("captures", f"CAP{payment.token}")]}


def _paypal_origin(payment: Payment, step: str) -> Body:
    if step != "captured" or payment.life[0] == "captured":
        return {"custom_id": payment.token}
    if payment.life[0] == "requested":
        return {"supplementary_data": {"related_ids": {"order_id": f"ORD{payment.token}"}}}
    return {"links": [_paypal_link("authorizations", f"AUT{payment.token}")]}


def _paypal_link(collection: str, name: str) -> Body:
    return {"href": f"https://api.paypal.example/v2/payments/{collection}/{name}", "rel": "up", "method": "GET"}


def _paypal_money(payment: Payment, amount_minor: int, *, v1: bool = False) -> Body:
    value = format_minor(amount_minor, payment.currency, exponents=paypal.EXPONENTS)
    return {"total": value, "currency": payment.currency} if v1 else {"value": value, "currency_code": payment.currency}


def canonical(payment: Payment, step: str, second: int) -> Body:
    """Return a message in our own form."""
    refund = {"refund_id": f"ref-{payment.token}{step}"} if step.endswith("refunded") else {}
    amount_minor = payment.refunded_minor(step) if refund else payment.amount_minor
    amount = (
        {"amount": format_minor(amount_minor, payment.currency)} if payment.plain else {"amount_minor": amount_minor}
    )
    return {
        "id": f"pay-{payment.token}",
        "provider": "canonical",
        **amount,
        "currency": payment.currency,
        "status": CANONICAL_STATUSES[step][not payment.plain],
        "customer_email": payment.email,
        "customer_reference": f"customer-{payment.token}",
        "created_at": second,
        "metadata": {"order": payment.token, "card": payment.card},
        **refund,
    }


WORDINGS = {
    Provider.STRIPE: stripe,
    Provider.RAZORPAY: razorpay,
    Provider.PAYPAL: paypal_event,
    Provider.CANONICAL: canonical,
}

_CANONICAL = (
    b'{"id":"bad-%d","currency":"EUR","status":"paid","created_at":1767225600,"customer_email":"jo@example.com",'
)
_STRIPE = b'{"id":"evt_bad%d","object":"event","created":1767225600,"type":"payment_intent.succeeded","data":{"object":'

MALFORMED = {
    "not JSON": b"payment %d went well, honestly",
    "cut short": _CANONICAL + b'"amount":"12.',
    "not UTF-8": _CANONICAL + b'"amount":"12.00","note":"\xff\xfe"}',
    "an array": b'[{"id":"bad-%d"}]',
    "a NUL character": _CANONICAL + b'"amount":"12.00","note":"\\u0000"}',
    "half a surrogate pair": _CANONICAL + b'"amount":"12.00","metadata":{"name":"\\ud83d"}}',
    "nested too deep": _CANONICAL + b'"amount":"12.00","note":' + b"[" * 80 + b"]" * 80 + b"}",
    "negative": _CANONICAL + b'"amount":"-12.00"}',
    "absurd": _CANONICAL + b'"amount_minor":123456789012345678901234567890}',
    "too many decimals": _CANONICAL + b'"amount":"12.005"}',
    "an exponent": _CANONICAL + b'"amount":1e3}',
    "a truth for an amount": _CANONICAL + b'"amount_minor":true}',
    "no amount": _CANONICAL + b'"metadata":{}}',
    "two amounts": _CANONICAL + b'"amount":"12.00","amount_minor":1200}',
    "said twice": _CANONICAL + b'"amount":"12.00","amount":"13.00"}',
    "unknown currency": b'{"id":"bad-%d","currency":"QQQ","status":"paid","created_at":1767225600,"amount":"1.00"}',
    "unknown provider": b'{"provider":"acme",' + _CANONICAL[1:] + b'"amount":"12.00"}',
    "no time zone": b'{"id":"bad-%d","currency":"EUR","status":"paid","created_at":"2026-01-01T00:00:00","amount":"1"}',
    "milliseconds": b'{"id":"bad-%d","currency":"EUR","status":"paid","created_at":1767225600000,"amount":"1"}',
    "no id": b'{"serial":%d,"currency":"EUR","status":"paid","created_at":1767225600,"amount":"1.00"}',
    "an empty id": b'{"id":"","serial":%d,"currency":"EUR","status":"paid","created_at":1767225600,"amount":"1.00"}',
    "an id without end": b'{"id":"%d' + b"x" * 300 + b'","currency":"EUR","status":"paid","created_at":1,"amount":"1"}',
    "Stripe with a float": _STRIPE + b'{"id":"pi_1","amount":1200,"amount_received":1200.5,"currency":"eur"}}}',
    "Stripe without an object": b'{"id":"evt_%d","object":"event","created":1,"type":"charge.failed","data":{}}',
    "Razorpay without a payment": b'{"entity":"event","event":"payment.captured","payload":{},"created_at":%d}',
    "PayPal with half a yen": (
        b'{"id":"WH-bad%d","event_type":"PAYMENT.CAPTURE.COMPLETED","create_time":"2026-01-01T00:00:00Z",'
        b'"resource":{"id":"CAP1","amount":{"value":"500.50","currency_code":"JPY"}}}'
    ),
}
"""What is wrong → a record that is wrong in this way, with a place for a number that makes it one of a kind."""
