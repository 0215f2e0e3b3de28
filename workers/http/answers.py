"""What an HTTP client is answered where its request met a failure of our tree. Pure.

    too late, by the client's own deadline      408
    the breaker is open, or it is busy          503, with Retry-After
    a limit is reached                          429, with Retry-After
    a dependency gives no answer in time        504
    a dependency cannot be reached, or is odd   502
    the database, and what nobody foresaw       500, with no inner detail

The first row of the table that fits is taken, so what is special stands before what is general.
"""

import math

import msgspec

from payments.failures import (
    AnswerTimeout,
    AttemptsSpent,
    BadRequest,
    BrokerTimeout,
    CircuitOpen,
    CompensationFailed,
    ConfigurationError,
    Conflict,
    ConnectTimeout,
    DatabaseAway,
    DataRefused,
    Declined,
    DuplicateRequest,
    Failure,
    Forbidden,
    GatewayTimeout,
    KafkaAway,
    KafkaBroken,
    LocalQueueFull,
    MachineFault,
    NotFound,
    OffsetLost,
    OutcomeUnknown,
    OutOfOrder,
    PoolExhausted,
    Postponed,
    PublishFailed,
    PublishRefused,
    QueueAway,
    Refused,
    RuleBroken,
    SchemaMismatch,
    StatementRefused,
    TimeLimitReached,
    Unanswered,
    Unauthorized,
    Unavailable,
    Undecodable,
    Unexpected,
    Unreachable,
    ValidationFailed,
    WriteConflict,
)

INTERNAL = 500
DEADLINE = 408

_LATER_SECONDS = 1.0
"""When to come back, where the failure does not say."""


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A status, a stable code for machines and words for people. `retry_after_seconds` is whole, and at least 1."""

    status: int
    code: str
    message: str
    retry_after_seconds: int | None = None


def answer_to(failure: Failure, correlation_id: str) -> HttpAnswer:
    """Return what a request is answered that met `failure`; below 500 in the failure's own words."""
    status = _status_of(failure)
    if status >= INTERNAL:
        return _not_served(failure, status, correlation_id)
    pause = _pause_of(failure) if isinstance(failure, Postponed) else None
    return HttpAnswer(status=status, code=failure.code, message=failure.message, retry_after_seconds=pause)


def too_late(deadline_seconds: float) -> HttpAnswer:
    """Return that the request's own deadline is over."""
    return HttpAnswer(status=DEADLINE, code="deadline_exceeded", message=f"not answered within {deadline_seconds:g} s")


def row_of(kind: type[Failure]) -> type[Failure] | None:
    """Return the type by whose row a type is answered; None where it is in none."""
    return next((row for row in _STATUSES if issubclass(kind, row)), None)


def _status_of(failure: Failure) -> int:
    if failure.code == AnswerTimeout.kind:  # a question that got no answer is Unanswered, and its code says why
        return _STATUSES[AnswerTimeout]
    row = row_of(type(failure))
    return INTERNAL if row is None else _STATUSES[row]


def _not_served(failure: Failure, status: int, correlation_id: str) -> HttpAnswer:
    if status == INTERNAL:
        message = f"something went wrong here; the log tells what, under {correlation_id}"
        return HttpAnswer(status=status, code=_inner_code(failure), message=message)
    pause = _pause_of(failure) if status == _BUSY else None
    message = f"{failure.service} {_WORDS[status]}"
    return HttpAnswer(status=status, code=failure.code, message=message, retry_after_seconds=pause)


def _inner_code(failure: Failure) -> str:
    return "internal" if isinstance(failure, Unexpected) else failure.kind


def _pause_of(failure: Failure) -> int:
    told_seconds: float = getattr(failure, "retry_after_seconds", None) or _LATER_SECONDS
    return max(1, math.ceil(told_seconds))


_BUSY = 503
_WORDS = {
    _BUSY: "cannot be asked now",
    504: "did not answer in time",
    502: "could not be reached, or gave no answer of use",
}

_STATUSES: dict[type[Failure], int] = {
    CircuitOpen: _BUSY,
    Postponed: 429,
    PoolExhausted: _BUSY,
    ConnectTimeout: 504,
    Unreachable: 502,
    Conflict: 409,
    Unanswered: 502,
    Unavailable: _BUSY,
    DatabaseAway: INTERNAL,
    WriteConflict: INTERNAL,
    OutOfOrder: 409,
    QueueAway: 502,
    KafkaAway: 502,
    BrokerTimeout: 504,
    LocalQueueFull: _BUSY,
    PublishFailed: 502,
    MachineFault: _BUSY,
    AnswerTimeout: 504,
    GatewayTimeout: 504,
    TimeLimitReached: 504,
    OutcomeUnknown: 502,
    Unexpected: INTERNAL,
    Undecodable: 400,
    BadRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    ValidationFailed: 422,
    DuplicateRequest: 409,
    Refused: 400,
    Declined: 402,
    RuleBroken: 409,
    AttemptsSpent: INTERNAL,
    CompensationFailed: INTERNAL,
    DataRefused: INTERNAL,
    StatementRefused: INTERNAL,
    SchemaMismatch: INTERNAL,
    PublishRefused: INTERNAL,
    KafkaBroken: 502,
    OffsetLost: INTERNAL,
    ConfigurationError: INTERNAL,
}
