"""gRPC status codes, by their names; grpcio is not imported. Source: grpc.io/docs/guides/status-codes."""

from collections.abc import Mapping

from payments.borders.grpc_status import GrpcStatus
from payments.borders.retry_after import DEFAULT_RETRY_AFTER_SECONDS
from payments.failures import (
    AnswerTimeout,
    AnswerUnreadable,
    BadRequest,
    Conflict,
    ConnectionAborted,
    ConnectionRefused,
    ConnectTimeout,
    DnsFailed,
    DuplicateRequest,
    Failure,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ServerError,
    ServiceUnavailable,
    TlsFailed,
    Unanswered,
    Unauthorized,
    Unavailable,
    Unexpected,
    Unreachable,
    ValidationFailed,
)
from payments.redaction import redacted


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


def failure_of_answer(status: GrpcStatus, service: str, operation: str) -> Failure:
    """Return what it means that a question was answered with `status`.

    The code is the reason of ErrorInfo, and the message the server's own, redacted, with the fields that it names.
    RetryInfo becomes `retry_after_seconds`. Where there is no ErrorInfo the transport speaks: of a connection that was
    not made, or that broke.
    """
    if status.reason is None:
        return _failure_of_transport(status, service, operation)
    failure = failure_of_grpc(status.name, service, operation, changes_nothing=True)
    failure.code = status.reason or failure.code
    failure.message = _words(status) or failure.message
    failure.args = (failure.message,)
    if isinstance(failure, RateLimited | Unavailable) and status.retry_after_seconds is not None:
        failure.retry_after_seconds = status.retry_after_seconds
    return failure


def _words(status: GrpcStatus) -> str:
    """Return the server's message and what is wrong with each field; what one of them repeats is said once.

    A field is redacted apart from what is said of it: `page_token: …` would look like a token that is told.
    """
    told = [f"{redacted(field)}: {redacted(wrong)}" for field, wrong in status.violations]
    if not any(status.text in f"{field}: {wrong}" for field, wrong in status.violations):
        told.insert(0, redacted(status.text))
    return "; ".join(dict.fromkeys(told))


def _failure_of_transport(status: GrpcStatus, service: str, operation: str) -> Failure:
    where = {"service": service, "operation": operation, "provider_message": redacted(status.text)}
    if status.name == "RESOURCE_EXHAUSTED" and "larger than max" in status.text:
        return AnswerUnreadable("the answer is larger than we take", code="answer_too_large", **where)
    if status.name == "UNAVAILABLE" and any(words in status.text for words in _UNCONNECTED):
        kind = next((kind for words, kind in _CAUSES if words in status.text), Unreachable)
        return kind("no connection was made", **where)
    if is_transport_reset(status):
        return Unanswered("the connection broke", code="connection_reset", **where)
    if status.name == "DEADLINE_EXCEEDED":
        return Unanswered("no answer came in time", code="grpc_deadline_exceeded", **where)
    failure = failure_of_grpc(status.name, service, operation, changes_nothing=True)
    failure.provider_message = where["provider_message"]
    return failure


def is_transport_reset(status: GrpcStatus) -> bool:
    """Return whether the connection broke; grpcio tells it as UNAVAILABLE, or as INTERNAL where the peer reset it."""
    if status.reason is not None:
        return False
    return status.name in {"UNAVAILABLE", "INTERNAL"} and any(words in status.text for words in _RESETS)


_UNCONNECTED = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")
"""grpcio's words for a connection that was not made. They are no promise of it: other words mean less, not wrong."""

_CAUSES: tuple[tuple[str, type[Unreachable]], ...] = (
    ("Connection refused", ConnectionRefused),
    ("handshake failed", TlsFailed),
    ("errors resolving", DnsFailed),
    ("DNS resolution failed", DnsFailed),
    ("Connection reset", ConnectionAborted),
    ("Socket closed", ConnectionAborted),
    ("timed out", ConnectTimeout),
)

_RESETS = ("RST_STREAM", "Stream removed", "Socket closed", "Connection reset", "GOAWAY", "ping timeout")
"""grpcio's words for a connection that broke, likewise."""

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
