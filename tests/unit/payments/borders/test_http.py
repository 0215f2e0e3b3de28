import errno
import pickle
import socket
import ssl

import httpx
import pytest

from payments.borders.http import failure_of_status, failure_of_transport, lost
from payments.failures import (
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
    GatewayTimeout,
    MachineFault,
    NetworkUnreachable,
    NotFound,
    RateLimited,
    Refused,
    ServerError,
    ServiceUnavailable,
    TlsFailed,
    Transient,
    Unanswered,
    Unauthorized,
    Unavailable,
    Unreachable,
    ValidationFailed,
)
from payments.gateway.client import Call, Reply

NOW = 1_800_000_000.0


def a_call(method: str = "POST", service: str = "stripe") -> Call:
    return Call(service, "capture", method, httpx.URL("http://provider.test/x"), [])


def reply_with(
    status: int, method: str = "POST", headers: dict[str, str] | None = None, service: str = "stripe"
) -> Reply:
    return Reply(a_call(method, service), status, httpx.Headers(headers or {}), b'{"email":"payer@example.com"}')


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "kind"),
    [
        (301, "POST", Refused),
        (400, "POST", BadRequest),
        (401, "POST", Unauthorized),
        (402, "POST", Refused),
        (403, "POST", Forbidden),
        (404, "POST", NotFound),
        (422, "POST", ValidationFailed),
        (424, "POST", ServerError),
        (408, "POST", ServiceUnavailable),
        (409, "POST", Conflict),
        (425, "POST", Conflict),
        (429, "POST", RateLimited),
        (503, "POST", ServiceUnavailable),
        (500, "POST", ServerError),
        (502, "POST", ServerError),
        (504, "POST", GatewayTimeout),
        (599, "POST", ServerError),
        (500, "GET", Unanswered),
        (504, "GET", Unanswered),
        (404, "GET", NotFound),
        (503, "GET", ServiceUnavailable),
    ],
)
def test_every_status_has_its_failure(status: int, method: str, kind: type[Failure]) -> None:
    failure = failure_of_status(reply_with(status, method), None, NOW)
    assert type(failure) is kind
    assert failure.code == f"http_{status}"
    assert (failure.service, failure.operation) == ("stripe", "capture")


def test_a_failure_carries_the_providers_code_and_nothing_of_the_body() -> None:
    failure = failure_of_status(reply_with(400), "parameter_missing", NOW)
    assert failure.code == "parameter_missing"
    assert "payer@example.com" not in f"{failure} {failure!r}"


@pytest.mark.parametrize("code", ["payer@example.com", "No such card: 4242", "", "x" * 65, "schlüssel"])
def test_free_text_in_place_of_a_code_is_left_out(code: str) -> None:
    assert failure_of_status(reply_with(400), code, NOW).code == "http_400"


def test_what_the_provider_wrote_is_kept_redacted_and_short() -> None:
    text = "payer@example.com: card 4242 4242 4242 4242 " + "was declined " * 50
    failure = failure_of_status(reply_with(400), None, NOW, text)
    assert failure.provider_message.startswith("[email]: card [card] was declined")
    assert len(failure.provider_message) <= 200


def test_a_429_carries_the_pause_asked_for() -> None:
    failure = failure_of_status(reply_with(429, headers={"Retry-After": "7"}), None, NOW)
    assert isinstance(failure, RateLimited)
    assert failure.retry_after_seconds == 7


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("soon", None), (None, None)])
def test_a_503_carries_a_pause_only_where_one_is_asked_for(header: str | None, seconds: float | None) -> None:
    failure = failure_of_status(reply_with(503, headers={"Retry-After": header} if header else {}), None, NOW)
    assert isinstance(failure, Unavailable)
    revived = pickle.loads(pickle.dumps(failure))  # noqa: S301 - our own bytes
    assert failure.retry_after_seconds == revived.retry_after_seconds == seconds


def test_what_a_provider_calls_by_another_name_than_its_status_goes_by_the_name() -> None:
    assert type(failure_of_status(reply_with(429), "lock_timeout", NOW)) is Conflict
    assert type(failure_of_status(reply_with(422, service="paypal"), "DUPLICATE_INVOICE_ID", NOW)) is DuplicateRequest


@pytest.mark.parametrize("code", ["lock_timeout", "idempotency_error", "resource_missing"])
def test_no_code_makes_a_5xx_certain(code: str) -> None:
    assert type(failure_of_status(reply_with(500), code, NOW)) is ServerError


# -- no answer ---------------------------------------------------------------------------------------------------------


def unconnected(cause: BaseException) -> Failure:
    error = httpx.ConnectError("http://payer@example.com")
    error.__cause__ = httpx.ConnectError("httpcore's own")
    error.__cause__.__cause__ = cause
    return failure_of_transport(a_call(), error)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), ConnectionRefused),
        (ConnectionResetError(errno.ECONNRESET, ""), ConnectionAborted),
        (ConnectionAbortedError(errno.ECONNABORTED, ""), ConnectionAborted),
        (BrokenPipeError(errno.EPIPE, ""), ConnectionAborted),
        (TimeoutError(errno.ETIMEDOUT, ""), ConnectTimeout),
        (socket.gaierror(socket.EAI_AGAIN, ""), DnsFailed),
        (socket.gaierror(socket.EAI_NONAME, ""), DnsFailed),
        (OSError(errno.ENETUNREACH, ""), NetworkUnreachable),
        (OSError(errno.EHOSTUNREACH, ""), NetworkUnreachable),
        (OSError(errno.ENETDOWN, ""), NetworkUnreachable),
        (ssl.SSLCertVerificationError(1, "hostname mismatch"), TlsFailed),
        (ssl.SSLError(1, "no shared cipher"), TlsFailed),
        (ssl.SSLEOFError(8, ""), ConnectionAborted),
        (OSError(errno.EMFILE, ""), MachineFault),
        (OSError(errno.EADDRNOTAVAIL, ""), MachineFault),
        (OSError(errno.EPERM, ""), Unreachable),
        (ValueError("whatever"), Unreachable),
    ],
)
def test_why_there_is_no_connection_is_told_by_the_sockets_own_error(cause: BaseException, kind: type[Failure]) -> None:
    failure = unconnected(cause)
    assert type(failure) is kind
    assert isinstance(failure, Transient)
    assert (failure.service, failure.operation) == ("stripe", "capture")
    assert "payer@example.com" not in f"{failure!r}{vars(failure)}"


def test_what_this_machine_lacks_is_not_the_providers_fault() -> None:
    failures = [unconnected(OSError(errno.EMFILE, "")), failure_of_transport(a_call(), httpx.PoolTimeout(""))]
    assert not any(failure.blames_dependency for failure in failures)
    assert unconnected(ConnectionRefusedError(errno.ECONNREFUSED, "")).blames_dependency


def test_causes_that_lead_back_to_themselves_come_to_an_end() -> None:
    error = httpx.ConnectError("")
    error.__cause__ = ValueError("")
    error.__cause__.__cause__ = error
    assert type(failure_of_transport(a_call(), error)) is Unreachable


def test_an_answer_that_cannot_be_read_leaves_a_step_open_and_a_question_unanswered() -> None:
    assert type(lost(a_call(), "no JSON", "unreadable_answer")) is AnswerUnreadable
    question = lost(a_call("GET"), "no JSON")
    assert (type(question), question.code) == (Unanswered, "answer_unreadable")
