import pytest

from payments.borders.grpc import failure_of_grpc
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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CANCELLED", OutcomeUnknown),
        ("UNKNOWN", ServerError),
        ("INVALID_ARGUMENT", BadRequest),
        ("DEADLINE_EXCEEDED", AnswerTimeout),
        ("NOT_FOUND", NotFound),
        ("ALREADY_EXISTS", DuplicateRequest),
        ("PERMISSION_DENIED", Forbidden),
        ("RESOURCE_EXHAUSTED", RateLimited),
        ("FAILED_PRECONDITION", ValidationFailed),
        ("ABORTED", Conflict),
        ("OUT_OF_RANGE", ValidationFailed),
        ("UNIMPLEMENTED", Refused),
        ("INTERNAL", ServerError),
        ("UNAVAILABLE", OutcomeUnknown),
        ("DATA_LOSS", ServerError),
        ("UNAUTHENTICATED", Unauthorized),
    ],
)
def test_every_status_of_grpc_has_its_failure(name: str, kind: type[Failure]) -> None:
    failure = failure_of_grpc(name, "processor", "capture")
    assert (type(failure), failure.code) == (kind, f"grpc_{name.lower()}")
    assert (failure.service, failure.operation) == ("processor", "capture")


def test_a_question_leaves_nothing_in_doubt() -> None:
    def asked(name: str) -> type[Failure]:
        return type(failure_of_grpc(name, "processor", "find", changes_nothing=True))

    assert asked("UNAVAILABLE") is ServiceUnavailable
    assert asked("DEADLINE_EXCEEDED") is Unanswered
    assert asked("NOT_FOUND") is NotFound


def test_a_status_that_grpc_does_not_have_is_not_quoted() -> None:
    failure = failure_of_grpc("payer@example.com", "processor", "capture")
    assert (type(failure), failure.code) == (Unexpected, "unexpected")
    assert "payer" not in str(failure)
