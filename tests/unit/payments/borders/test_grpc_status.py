from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest as Violations
from google.rpc.error_details_pb2 import ErrorInfo, Help, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from payments.borders.grpc import failure_of_answer, is_transport_reset
from payments.borders.grpc_status import GrpcStatus, status_of
from payments.failures import (
    AnswerUnreadable,
    BadRequest,
    ConnectionAborted,
    ConnectionRefused,
    ConnectTimeout,
    DnsFailed,
    Failure,
    NotFound,
    RateLimited,
    ServiceUnavailable,
    TlsFailed,
    Unanswered,
    Unavailable,
    Unreachable,
    ValidationFailed,
)

INFO = ErrorInfo(reason="too_slow", domain="payferry", metadata={"cursor": "7"})


class Ended:
    """A call as grpcio tells of it."""

    def __init__(self, name: str, text: str = "", trailers: Iterable[tuple[str, str | bytes]] | None = ()) -> None:
        self._name, self._text, self._trailers = name, text, trailers

    def code(self) -> Any:  # noqa: ANN401 - a stand-in
        return SimpleNamespace(name=self._name)

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        return self._trailers


def ended(name: str, text: str, *details: Message) -> Ended:
    packed = [Packed() for _ in details]
    for each, detail in zip(packed, details, strict=True):
        each.Pack(detail)
    whole = Status(code=1, message=text, details=packed).SerializeToString()
    return Ended(name, text, [("other", "header"), ("grpc-status-details-bin", whole)])


def failure_of(name: str, text: str, *details: Message) -> Failure:
    return failure_of_answer(status_of(ended(name, text, *details)), "api", "GetPayment")


def test_every_detail_is_read() -> None:
    pause = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    violations = Violations(field_violations=[Violations.FieldViolation(field="limit", description="below 0")])
    status = status_of(ended("RESOURCE_EXHAUSTED", "slow", INFO, pause, violations, Help()))
    assert (status.name, status.text, status.reason) == ("RESOURCE_EXHAUSTED", "slow", "too_slow")
    assert (status.metadata, status.retry_after_seconds) == ({"cursor": "7"}, 1.5)
    assert status.violations == (("limit", "below 0"),)


@pytest.mark.parametrize("trailers", [None, (), [("grpc-status-details-bin", b"\xff\xff nonsense")]])
def test_details_that_are_missing_or_cannot_be_read_are_none(
    trailers: Iterable[tuple[str, str | bytes]] | None,
) -> None:
    assert status_of(Ended("UNAVAILABLE", "away", trailers)) == GrpcStatus(name="UNAVAILABLE", text="away")


@pytest.mark.parametrize(("seconds", "expected"), [(-5, 0.0), (10**9, 3600.0)])
def test_a_pause_is_neither_negative_nor_for_ever(seconds: int, expected: float) -> None:
    status = status_of(ended("UNAVAILABLE", "", RetryInfo(retry_delay=Duration(seconds=seconds))))
    assert status.retry_after_seconds == expected


def test_the_code_is_the_servers_reason_and_the_message_its_own() -> None:
    failure = failure_of("NOT_FOUND", "nobody has heard of this payment", ErrorInfo(reason="not_found"))
    assert isinstance(failure, NotFound)
    assert str(failure) == "not_found: nobody has heard of this payment (api GetPayment)"


def test_a_reason_that_is_free_text_does_not_pass_for_a_code() -> None:
    failure = failure_of("NOT_FOUND", "", ErrorInfo(reason="payer@example.com asked"))
    assert failure.code == "grpc_not_found"
    assert failure.message == "the server answered NOT_FOUND"


def test_a_message_of_the_server_is_redacted() -> None:
    assert "payer@" not in str(failure_of("INVALID_ARGUMENT", "no id: payer@example.com", INFO))


@pytest.mark.parametrize("text", ["limit: is below 0", ""])
def test_a_wrong_field_is_named_once(text: str) -> None:
    violations = Violations(field_violations=[Violations.FieldViolation(field="limit", description="is below 0")])
    failure = failure_of("INVALID_ARGUMENT", text, INFO, violations)
    assert isinstance(failure, BadRequest)
    assert failure.message == "limit: is below 0"


def test_a_field_that_is_called_a_token_is_no_secret_and_what_is_said_of_it_may_hold_one() -> None:
    token, stripe = (
        Violations.FieldViolation(field="page_token", description=told)
        for told in ("not a token of this service: send it exactly as it came", "sk_live_4242, of payer@example.com")
    )
    failure = failure_of("INVALID_ARGUMENT", "", INFO, Violations(field_violations=[token, stripe]))
    assert failure.message == (
        "page_token: not a token of this service: send it exactly as it came; page_token: [secret], of [email]"
    )


def test_a_precondition_is_told_with_the_way_out() -> None:
    violation = PreconditionFailure.Violation(subject="cursor", description="it is too old; begin anew")
    failure = failure_of("FAILED_PRECONDITION", "it is too old", INFO, PreconditionFailure(violations=[violation]))
    assert isinstance(failure, ValidationFailed)
    assert failure.message == "cursor: it is too old; begin anew"


@pytest.mark.parametrize(("name", "kind"), [("RESOURCE_EXHAUSTED", RateLimited), ("UNAVAILABLE", ServiceUnavailable)])
def test_the_pause_that_a_server_asks_for_is_on_the_failure(name: str, kind: type[Failure]) -> None:
    failure = failure_of(name, "later", INFO, RetryInfo(retry_delay=Duration(seconds=7)))
    assert isinstance(failure, kind)
    assert isinstance(failure, RateLimited | Unavailable)
    assert failure.retry_after_seconds == 7.0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("failed to connect to all addresses; last error: … Connection refused", ConnectionRefused),
        ("failed to connect to all addresses; last error: … Tls handshake failed (…)", TlsFailed),
        ("failed to connect to all addresses; last error: … Connection reset by peer (104)", ConnectionAborted),
        ("failed to connect to all addresses; last error: … Socket closed", ConnectionAborted),
        ("failed to connect to all addresses; last error: … connection attempt timed out", ConnectTimeout),
        ("failed to connect to all addresses", Unreachable),
        ("errors resolving nohost.invalid:50051: […]", DnsFailed),
        ("Stream removed (Socket closed)", Unanswered),
        ("something new", ServiceUnavailable),
    ],
)
def test_the_transports_words_tell_why_there_is_no_connection(text: str, kind: type[Failure]) -> None:
    failure = failure_of_answer(GrpcStatus(name="UNAVAILABLE", text=text), "api", "GetPayment")
    assert type(failure) is kind


def test_a_server_that_is_unavailable_by_its_own_words_was_reached() -> None:
    assert type(failure_of("UNAVAILABLE", "failed to connect to all addresses", INFO)) is ServiceUnavailable


def test_an_answer_that_is_too_large_is_no_matter_of_waiting() -> None:
    text = "Received message larger than max (17000000 vs. 16777216)"
    failure = failure_of_answer(GrpcStatus(name="RESOURCE_EXHAUSTED", text=text), "api", "ListPayments")
    assert (type(failure), failure.code) == (AnswerUnreadable, "answer_too_large")


def test_our_own_deadline_is_not_told_as_an_answer() -> None:
    failure = failure_of_answer(GrpcStatus(name="DEADLINE_EXCEEDED", text="Deadline Exceeded"), "api", "GetPayment")
    assert (type(failure), failure.message) == (Unanswered, "no answer came in time")


@pytest.mark.parametrize(
    ("status", "is_reset"),
    [
        (GrpcStatus(name="INTERNAL", text="Received RST_STREAM with error code 2"), True),
        (GrpcStatus(name="UNAVAILABLE", text="Stream removed (Socket closed)"), True),
        (GrpcStatus(name="INTERNAL", text="RST_STREAM", reason="internal"), False),
        (GrpcStatus(name="INTERNAL", text="Exception calling application"), False),
        (GrpcStatus(name="UNKNOWN", text="Connection reset"), False),
    ],
)
def test_a_reset_of_the_transport_is_no_fault_of_the_server(status: GrpcStatus, *, is_reset: bool) -> None:
    assert is_transport_reset(status) is is_reset
