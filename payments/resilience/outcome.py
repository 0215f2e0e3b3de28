"""What a call came to, as a breaker sees it: an end that says no is as well as one that says yes."""

from enum import Enum

from payments.failures import (
    CapturedOtherAmount,
    DataRefused,
    Declined,
    Failure,
    PublishRefused,
    Refused,
    StatementRefused,
)


class Outcome(Enum):
    """How a call counts."""

    SUCCESS = "success"
    FAILURE = "failure"
    EXCLUDED = "excluded"
    """It says nothing about the other end."""


_ANSWERS = (Refused, Declined, CapturedOtherAmount, PublishRefused, DataRefused, StatementRefused)
"""Failures that are an answer: whoever gives it is well."""


def outcome_of(failure: BaseException | None, name: str) -> Outcome:
    """Return how a call to the service `name` that ended with `failure` counts; None: it went well.

    A failure of another service, such as of the ledger while a provider's call was being written down, says nothing.
    What was put off by ourselves or by the other end (429), our own bugs, and a call that was broken off, are excluded.
    """
    if isinstance(failure, Failure) and failure.service != name:
        return Outcome.EXCLUDED
    if failure is None or isinstance(failure, _ANSWERS):
        return Outcome.SUCCESS
    if isinstance(failure, Failure) and failure.blames_dependency:
        return Outcome.FAILURE
    return Outcome.EXCLUDED
