"""gRPC status codes, by their names; grpcio is not imported. Source: grpc.io/docs/guides/status-codes."""

from collections.abc import Mapping

from payments.borders.retry_after import DEFAULT_RETRY_AFTER_SECONDS
from payments.failures import (
    AnswerTimeout,
    BadRequest,
    Conflict,
    DuplicateRequest,
    Failure,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ServerError,
    ServiceUnavailable,
    Unanswered,
    Unauthorized,
    Unexpected,
    ValidationFailed,
)


def failure_of_grpc(name: str, service: str, operation: str, *, changes_nothing: bool = False) -> Failure:
    """Return the failure that the status `name`, such as `UNAVAILABLE`, stands for.

    gRPC does not promise of UNAVAILABLE that the server has seen nothing, so only for a call that asks is it the same
    as HTTP's 503.
    """
    kind = _KINDS.get(name, Unexpected)
    if issubclass(kind, OutcomeUnknown) and changes_nothing:
        kind = ServiceUnavailable if name == "UNAVAILABLE" else Unanswered
    message, code = f"the server answered {name if name in _KINDS else 'an unknown status'}", kind.kind
    if name in _KINDS:
        code = f"grpc_{name.lower()}"
    if issubclass(kind, RateLimited):
        return RateLimited(
            message,
            retry_after_seconds=DEFAULT_RETRY_AFTER_SECONDS,
            code=code,
            service=service,
            operation=operation,
        )
    return kind(message, code=code, service=service, operation=operation)


_KINDS: Mapping[str, type[Failure]] = {
    "CANCELLED": OutcomeUnknown,
    "UNKNOWN": ServerError,
    "INVALID_ARGUMENT": BadRequest,
    "DEADLINE_EXCEEDED": AnswerTimeout,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": DuplicateRequest,
    "PERMISSION_DENIED": Forbidden,
    "RESOURCE_EXHAUSTED": RateLimited,
    "FAILED_PRECONDITION": ValidationFailed,
    "ABORTED": Conflict,
    "OUT_OF_RANGE": ValidationFailed,
    "UNIMPLEMENTED": Refused,
    "INTERNAL": ServerError,
    "UNAVAILABLE": OutcomeUnknown,
    "DATA_LOSS": ServerError,
    "UNAUTHENTICATED": Unauthorized,
}
