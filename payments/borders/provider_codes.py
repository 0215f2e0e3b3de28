"""What the providers' own codes say beyond the status that they come with.

Only what their documentation says is here; every other code leaves it to the status. Sources: docs.stripe.com
(error-codes, declines/codes, api/errors), razorpay.com/docs/errors, developer.paypal.com (api/rest/reference: Orders v2
and Payments v2 errors; guidelines: idempotency), and docs/sandbox.md for our own protocol.
"""

from collections.abc import Mapping

from payments.failures import (
    BadRequest,
    CardDeclined,
    Conflict,
    Declined,
    DuplicateRequest,
    Failure,
    Forbidden,
    InsufficientFunds,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    ValidationFailed,
)


def kind_told(provider: str, status: int, code: str | None) -> type[Failure] | None:
    """Return the type that the code names, or None where the status says all.

    A code is heard with a 4xx alone. A 5xx stays one: whatever its body says, the work may have been done.
    """
    if code is None or not 400 <= status <= 499:  # noqa: PLR2004 - client errors, RFC 9110 section 15.5
        return None
    return _KINDS.get(provider, {}).get(code)


def decline_of(provider: str, code: str | None) -> type[Declined]:
    """Return the type of a decline by the code of its answer.

    Codes such as Stripe's `try_again_later`, `processing_error` and `issuer_not_available` are plain declines too: the
    provider keeps its answer under our idempotency key and would only say the same again. Trying anew is the payer's to
    begin, and a payment that failed still moves forward when told of money.
    """
    return InsufficientFunds if code in _WITHOUT_MONEY.get(provider, ()) else CardDeclined


_KINDS: Mapping[str, Mapping[str, type[Failure]]] = {
    "stripe": {
        "api_error": ServerError,
        "authentication_error": Unauthorized,
        "idempotency_error": DuplicateRequest,
        "idempotency_key_in_use": Conflict,
        "lock_timeout": Conflict,  # comes with 429, and is about this one object and not about our rate
        "rate_limit": RateLimited,
        "rate_limit_error": RateLimited,
        "resource_missing": NotFound,
    },
    "razorpay": {
        "GATEWAY_ERROR": ServerError,  # the bank, or the way to it, failed: Razorpay may yet tell of an authorization
        "SERVER_ERROR": ServerError,
        "bank_technical_error": ServerError,
        "gateway_technical_error": ServerError,
        "server_error": ServerError,
    },
    "paypal": {
        "INTERNAL_SERVER_ERROR": ServerError,
        "INVALID_REQUEST": BadRequest,
        "AUTHENTICATION_FAILURE": Unauthorized,
        "NOT_AUTHORIZED": Forbidden,
        "PERMISSION_DENIED": Forbidden,
        "RESOURCE_NOT_FOUND": NotFound,
        "INVALID_RESOURCE_ID": NotFound,
        "UNPROCESSABLE_ENTITY": ValidationFailed,
        "RATE_LIMIT_REACHED": RateLimited,
        "PREVIOUS_REQUEST_IN_PROGRESS": Conflict,
        "DUPLICATE_INVOICE_ID": DuplicateRequest,
        "DUPLICATE_REQUEST_ID": DuplicateRequest,
        "DUPLICATE_TRANSACTION": DuplicateRequest,
        "PAYPAL_REQUEST_ID_PREVIOUSLY_USED": DuplicateRequest,
    },
    "canonical": {"idempotency_key_reused": DuplicateRequest},
}

_WITHOUT_MONEY: Mapping[str, frozenset[str]] = {
    "stripe": frozenset({"insufficient_funds"}),
    "razorpay": frozenset({"insufficient_funds"}),
    "paypal": frozenset({"INSUFFICIENT_FUNDS"}),
    "canonical": frozenset({"insufficient_funds"}),
}
