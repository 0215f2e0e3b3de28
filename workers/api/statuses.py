"""Which status code each failure of our tree is answered with. The first row that fits is taken."""

from collections.abc import Callable

import grpc

from payments.failures import (
    BadRequest,
    CircuitOpen,
    Conflict,
    DataRefused,
    DuplicateRequest,
    Failure,
    Forbidden,
    NotFound,
    OutOfOrder,
    PoolExhausted,
    Postponed,
    RuleBroken,
    TimeLimitReached,
    Transient,
    Unauthorized,
    Undecodable,
    ValidationFailed,
    WriteConflict,
)
from workers.api.refusals import Refusal, deadline_exceeded, exhausted, internal, unavailable

_LATER_SECONDS = 1.0

Answer = Callable[[Failure, str], Refusal]


def refusal_of(failure: Failure, correlation_id: str) -> Refusal:
    """Return what a call is answered that met `failure`. Only words of ours are told, never those of a library."""
    return next(answer for kind, answer in _ANSWERS if isinstance(failure, kind))(failure, correlation_id)


def _plain(status: grpc.StatusCode) -> Answer:
    return lambda failure, _id: Refusal(status, failure.code, failure.message)


def _unavailable(failure: Failure, _id: str) -> Refusal:
    return unavailable(failure.code, f"{failure.service} cannot be asked now", _retry_seconds(failure))


def _exhausted(failure: Failure, _id: str) -> Refusal:
    return exhausted(failure.code, failure.message, _retry_seconds(failure))


def _retry_seconds(failure: Failure) -> float:
    return getattr(failure, "retry_after_seconds", None) or _LATER_SECONDS


_ANSWERS: tuple[tuple[type[Failure], Answer], ...] = (
    (CircuitOpen, _unavailable),
    (Postponed, _exhausted),
    (PoolExhausted, _exhausted),
    (Conflict, _plain(grpc.StatusCode.ABORTED)),
    (WriteConflict, _plain(grpc.StatusCode.ABORTED)),
    (OutOfOrder, _plain(grpc.StatusCode.FAILED_PRECONDITION)),
    (Transient, _unavailable),
    (TimeLimitReached, lambda _failure, _id: deadline_exceeded()),
    (Unauthorized, _plain(grpc.StatusCode.UNAUTHENTICATED)),
    (Forbidden, _plain(grpc.StatusCode.PERMISSION_DENIED)),
    (NotFound, _plain(grpc.StatusCode.NOT_FOUND)),
    (DuplicateRequest, _plain(grpc.StatusCode.ALREADY_EXISTS)),
    (ValidationFailed, _plain(grpc.StatusCode.FAILED_PRECONDITION)),
    (RuleBroken, _plain(grpc.StatusCode.FAILED_PRECONDITION)),
    (BadRequest, _plain(grpc.StatusCode.INVALID_ARGUMENT)),
    (Undecodable, _plain(grpc.StatusCode.INVALID_ARGUMENT)),
    (DataRefused, _plain(grpc.StatusCode.INVALID_ARGUMENT)),
    (Failure, lambda _failure, correlation_id: internal(correlation_id)),
)
