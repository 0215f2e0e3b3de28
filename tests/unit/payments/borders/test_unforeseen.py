import subprocess
import sys

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, Terminated, TimeLimitExceeded, WorkerLostError

from payments.borders.celery import failure_of_celery
from payments.borders.unforeseen import failure_of
from payments.failures import CardDeclined, DiskFull, Failure, OutOfMemory, ProcessCrashed, TimeLimitReached, Unexpected


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SoftTimeLimitExceeded(), TimeLimitReached),
        (TimeLimitExceeded(9), ProcessCrashed),
        (WorkerLostError("signal 9"), ProcessCrashed),
        (Terminated(15), ProcessCrashed),
    ],
)
def test_what_ends_a_task_from_outside_has_its_failure(error: Exception, kind: type[Failure]) -> None:
    failure = failure_of_celery(error, "process")
    assert failure is not None
    assert (type(failure), failure.code, failure.operation) == (kind, kind.kind, "process")


def test_a_failure_of_ours_stays_what_it_is() -> None:
    failure = CardDeclined("no")
    assert failure_of(failure, "process") is failure


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SoftTimeLimitExceeded(), TimeLimitReached),
        (MemoryError(), OutOfMemory),
        (OSError(28, "No space left"), DiskFull),
        (ValueError("payer@example.com"), Unexpected),
        (KeyError("payer@example.com"), Unexpected),
    ],
)
def test_what_came_past_every_border_gets_a_name_and_its_text_is_not_quoted(
    error: Exception, kind: type[Failure]
) -> None:
    failure = failure_of(error, "process")
    assert (type(failure), failure.operation) == (kind, "process")
    assert "payer" not in f"{failure}{vars(failure)}"


def test_an_unexpected_error_is_named_by_its_type() -> None:
    assert failure_of(ZeroDivisionError("1/0"), "process").message == "ZeroDivisionError was raised"


def test_naming_what_celery_raises_does_not_load_celery() -> None:
    looked = "import sys, payments.borders.unforeseen; print({'celery', 'billiard', 'kombu'} & sys.modules.keys())"
    shown = subprocess.run([sys.executable, "-c", looked], capture_output=True, check=True, text=True)
    assert shown.stdout.strip() == "set()"
