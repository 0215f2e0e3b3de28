"""HTTP: what it means that no answer came, that one came and is no success, or that it cannot be read.

Whether anything can have taken effect hangs on one moment: until the connection stood, nothing was sent. What went
wrong before is Transient, whatever it was, and what went wrong after is OutcomeUnknown, except for a call that only
asks.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Protocol

import httpx

from payments.borders.provider_codes import kind_told
from payments.borders.retry_after import retry_after_seconds, told_pause_seconds
from payments.borders.system import failure_of_machine
from payments.failures import (
    AnswerTimeout,
    AnswerUnreadable,
    BadRequest,
    Conflict,
    ConnectionAborted,
    ConnectionRefused,
    ConnectionReset,
    ConnectTimeout,
    DnsFailed,
    Failure,
    Forbidden,
    GatewayTimeout,
    NetworkUnreachable,
    NotFound,
    OutcomeUnknown,
    PoolExhausted,
    RateLimited,
    Refused,
    ServerError,
    ServiceUnavailable,
    TlsFailed,
    Unanswered,
    Unauthorized,
    Unavailable,
    Unreachable,
    ValidationFailed,
)
from payments.redaction import redacted


class Asked(Protocol):
    """A request: where it belongs, as the failure tree wants it, and whether it only asks."""

    @property
    def where(self) -> dict[str, str]: ...  # noqa: D102 - see the class
    @property
    def changes_nothing(self) -> bool: ...  # noqa: D102


class Answered(Protocol):
    """An answer to a request."""

    @property
    def call(self) -> Asked: ...  # noqa: D102 - see the class
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def headers(self) -> Mapping[str, str]: ...  # noqa: D102


def failure_of_transport(call: Asked, error: httpx.TransportError) -> Failure:
    """Return what it means that no answer came. What is not known for certain to be unsent may have been done."""
    match error:
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol():
            return BadRequest("the request cannot be sent", code="unsendable", **call.where)
        case httpx.PoolTimeout():
            return PoolExhausted("no connection came free in time", **call.where)
        case httpx.ConnectTimeout():
            return ConnectTimeout("no connection was made in time", **call.where)
        case httpx.ConnectError() | httpx.ProxyError():
            return _unconnected(call, error)
        case httpx.TimeoutException():
            return lost(call, "no answer came in time", kind=AnswerTimeout)
        case _:
            return lost(call, "the connection broke before the answer", kind=ConnectionReset)


def failure_of_status(reply: Answered, code: str | None, now: float, message: str | None = None) -> Failure:
    """Return the failure that `reply` stands for.

    `code` is the provider's own error code, if it gave one, and `message` its free text, which is redacted; `now` is in
    seconds since 1970 and turns a date in Retry-After into a pause. A 5xx other than 503 leaves open whether the work
    was done, as Stripe's and PayPal's pages on errors and idempotency say: it may only be repeated under the same key.
    """
    call, status, told = reply.call, reply.status, reply.headers.get("retry-after")
    words = {
        "code": code_or(code, f"http_{status}"),
        "provider_message": redacted(message or ""),
        **call.where,
    }
    kind = kind_told(words["service"], status, code) or kind_of_status(status)
    if issubclass(kind, RateLimited):
        pause = retry_after_seconds(told, now)
        return RateLimited("the provider asks for a pause", retry_after_seconds=pause, **words)
    if issubclass(kind, OutcomeUnknown) and call.changes_nothing:
        kind = Unanswered
    failure = kind(f"the provider {_says(kind)} (status {status})", **words)
    if isinstance(failure, Unavailable):
        failure.retry_after_seconds = told_pause_seconds(told, now)
    return failure


def kind_of_status(status: int) -> type[Failure]:
    """Return what a status that is not a success means by itself (RFC 9110, 6585 and 8470)."""
    if status in _KINDS:
        return _KINDS[status]
    return ServerError if status >= 500 else Refused  # noqa: PLR2004 - server errors, RFC 9110 section 15.6


def lost(call: Asked, message: str, code: str | None = None, kind: type[OutcomeUnknown] = AnswerUnreadable) -> Failure:
    """Return the failure of a call whose answer did not arrive, or cannot be read. A question changes nothing."""
    answered: type[Failure] = Unanswered if call.changes_nothing else kind
    return answered(message, code=code or kind.kind, **call.where)


def _unconnected(call: Asked, error: httpx.TransportError) -> Failure:
    """Return why there is no connection, by the socket's own error, which httpcore keeps as the cause."""
    for cause in _causes(error):
        kind = _kind_unconnected(cause)
        if kind is not None:
            return kind("no connection was made", **call.where)
        machine = failure_of_machine(cause, **call.where)
        if machine is not None:
            return machine
    return Unreachable("no connection was made", **call.where)


def _kind_unconnected(cause: BaseException) -> type[Unreachable] | None:
    match cause:
        case socket.gaierror():
            return DnsFailed
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return ConnectionAborted  # the other end hung up in the middle of the handshake
        case ssl.SSLError() | ssl.CertificateError():
            return TlsFailed
        case OSError(errno=number) if number is not None:
            return _ERRNOS.get(number)
        case _:
            return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error, the nearest one first."""
    seen = {id(error)}
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _says(kind: type[Failure]) -> str:
    """Return what the provider did, in our words."""
    return next(words for above, words in _SAYS.items() if issubclass(kind, above))


_KINDS: Mapping[int, type[Failure]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: ServiceUnavailable,  # it did not wait for the whole request, so it did nothing
    409: Conflict,
    422: ValidationFailed,
    424: ServerError,  # something behind it failed, perhaps halfway
    425: Conflict,
    429: RateLimited,
    503: ServiceUnavailable,
    504: GatewayTimeout,
}

_ERRNOS: Mapping[int, type[Unreachable]] = {
    errno.ECONNREFUSED: ConnectionRefused,
    errno.ECONNRESET: ConnectionAborted,
    errno.ECONNABORTED: ConnectionAborted,
    errno.EPIPE: ConnectionAborted,
    errno.ETIMEDOUT: ConnectTimeout,
    errno.ENETUNREACH: NetworkUnreachable,
    errno.EHOSTUNREACH: NetworkUnreachable,
    errno.ENETDOWN: NetworkUnreachable,
    errno.EHOSTDOWN: NetworkUnreachable,
}

_SAYS: Mapping[type[Failure], str] = {
    Conflict: "is at work on the same thing",
    Unanswered: "failed",
    Unavailable: "cannot serve now",
    OutcomeUnknown: "failed",
    Failure: "refused the request",
}


def code_or(code: str | None, otherwise: str) -> str:
    """Return a provider's code where it looks like one, so that no free text, which may be personal, passes for it."""
    return code if code is not None and _CODE.fullmatch(code) else otherwise


_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
"""What looks like a code: no free text gets into a failure's code."""
