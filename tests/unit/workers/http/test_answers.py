"""Every failure of the tree has an answer, and what is inside stays inside."""

import pytest

from payments import failures
from payments.failures import (
    AnswerTimeout,
    CircuitOpen,
    ConnectionRefused,
    DatabaseAway,
    Failure,
    NotFound,
    RateExceeded,
    ServiceUnavailable,
    Unanswered,
    Undecodable,
    Unexpected,
)
from workers.http.answers import HttpAnswer, answer_to, row_of, too_late

BRANCHES = {"failure", "transient", "unknown", "permanent"}
KINDS = {name: kind for name, kind in failures.kinds().items() if kind.__module__ == failures.__name__}

STATUSES = {
    400: "undecodable refused bad_request",
    401: "unauthorized",
    402: "declined card_declined insufficient_funds",
    403: "forbidden",
    404: "not_found",
    409: "conflict out_of_order duplicate_request rule_broken captured_other_amount",
    422: "validation_failed",
    429: "postponed rate_limited rate_exceeded budget_spent",
    500: "database_away write_conflict deadlock serialization_failure unexpected attempts_spent compensation_failed "
    "data_refused constraint_violation statement_refused schema_mismatch publish_refused message_too_large "
    "schema_invalid offset_lost configuration_error failure transient unknown permanent",
    502: "unreachable connection_refused connection_aborted dns_failed network_unreachable tls_failed unanswered "
    "queue_away kafka_away publish_failed broker_unavailable unknown_topic kafka_unauthorized outcome_unknown "
    "connection_reset server_error answer_unreadable undecided kafka_broken",
    503: "circuit_open pool_exhausted unavailable service_unavailable local_queue_full machine_fault out_of_memory "
    "disk_full process_crashed",
    504: "connect_timeout broker_timeout answer_timeout gateway_timeout time_limit_reached",
}
EXPECTED = {name: status for status, names in STATUSES.items() for name in names.split()}


def made(kind: type[Failure]) -> Failure:
    if issubclass(kind, Undecodable):
        return kind("$.amount", "missing")
    told: dict[str, float] = {"retry_after_seconds": 2.2} if issubclass(kind, failures.Postponed) else {}
    return kind("inner detail", service="stripe", operation="capture", **told)  # type: ignore[arg-type]  # as each wants


@pytest.mark.parametrize("name", sorted(KINDS.keys() - BRANCHES))
def test_every_failure_is_in_a_row(name: str) -> None:
    assert row_of(KINDS[name]) is not None


def test_every_failure_has_the_status_that_is_written_here() -> None:
    assert {name: answer_to(made(kind), "c-1").status for name, kind in KINDS.items()} == EXPECTED


@pytest.mark.parametrize("name", sorted(name for name, status in EXPECTED.items() if status >= 500))
def test_no_inner_detail_is_told_of_what_is_not_the_client_s_own_mistake(name: str) -> None:
    assert "inner detail" not in answer_to(made(KINDS[name]), "c-1").message


def test_a_breaker_that_is_open_says_when_to_come_back() -> None:
    answer = answer_to(CircuitOpen("open", retry_after_seconds=2.2, service="stripe"), "c-1")
    assert answer == HttpAnswer(
        status=503, code="circuit_open", message="stripe cannot be asked now", retry_after_seconds=3
    )


def test_a_limit_says_when_to_come_back_and_never_at_once() -> None:
    answer = answer_to(RateExceeded("more than 5 a second", retry_after_seconds=0.01), "c-1")
    assert answer == HttpAnswer(status=429, code="rate_exceeded", message="more than 5 a second", retry_after_seconds=1)


def test_a_server_s_own_pause_is_passed_on() -> None:
    failure = ServiceUnavailable("busy", service="stripe")
    assert answer_to(failure, "c-1").retry_after_seconds == 1
    failure.retry_after_seconds = 30.0
    assert answer_to(failure, "c-1").retry_after_seconds == 30


def test_a_dependency_that_is_late_and_one_that_is_gone_are_told_apart() -> None:
    late = answer_to(AnswerTimeout("no answer", service="stripe"), "c-1")
    gone = answer_to(ConnectionRefused("nobody", service="stripe"), "c-1")
    assert (late.status, late.message) == (504, "stripe did not answer in time")
    assert (gone.status, gone.message) == (502, "stripe could not be reached, or gave no answer of use")


def test_a_question_that_was_not_answered_in_time_is_late_too() -> None:
    assert answer_to(Unanswered("no answer", code="answer_timeout"), "c-1").status == 504
    assert answer_to(Unanswered("reset", code="connection_reset"), "c-1").status == 502


def test_what_is_our_own_fault_names_the_place_in_the_log() -> None:
    message = "something went wrong here; the log tells what, under c-1"
    assert answer_to(Unexpected("KeyError was raised"), "c-1") == HttpAnswer(
        status=500, code="internal", message=message
    )
    away = answer_to(DatabaseAway("no connection", code="57P01", service="postgresql"), "c-1")
    assert away == HttpAnswer(status=500, code="database_away", message=message)


def test_a_client_s_own_mistake_is_told_in_full() -> None:
    answer = answer_to(NotFound("no such payment", code="no_payment"), "c-1")
    assert answer == HttpAnswer(status=404, code="no_payment", message="no such payment")


def test_a_deadline_that_is_over_names_its_length() -> None:
    assert too_late(0.5) == HttpAnswer(status=408, code="deadline_exceeded", message="not answered within 0.5 s")
