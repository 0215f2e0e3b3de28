"""What Celery hears of a task that fails: its name in the tree, where it was raised, and nothing that it quotes."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from celery import Celery
from celery.exceptions import Ignore, Reject
from celery.result import EagerResult

from payments.failures import DataRefused, Failure, QueueAway, TimeLimitReached, Unexpected
from tasks.again import Again, DiscreetTask, RetryingTask, skipped

CANARY = "Key (email)=(jane@example.com) and 4242424242424242"
_numbers = itertools.count(1)


@pytest.fixture
def app() -> Iterator[Celery]:
    made = Celery("test", broker="memory://", set_as_current=False)
    yield made
    made.close()


def run(app: Celery, body: Callable[[], None], base: type[DiscreetTask] = DiscreetTask) -> EagerResult:
    return app.task(body, base=base, name=f"tests.discreet.{next(_numbers)}", shared=False).apply()


class DriverError(Exception):
    """What a library raises."""


def drive() -> None:
    raise DriverError(CANARY)


def refused() -> None:
    try:
        drive()
    except DriverError as error:
        raise DataRefused("these values cannot be kept", code="sqlstate_23514", service="database") from error


def buggy() -> None:
    raise KeyError(CANARY)


def out_of_time() -> None:
    from billiard.exceptions import SoftTimeLimitExceeded  # noqa: PLC0415 - this test's own

    raise SoftTimeLimitExceeded(CANARY)


@pytest.mark.parametrize(
    ("body", "kind"), [(refused, DataRefused), (buggy, Unexpected), (out_of_time, TimeLimitReached)]
)
@pytest.mark.parametrize("base", [DiscreetTask, RetryingTask])
def test_whatever_a_task_raises_is_told_by_its_name_and_place_and_quotes_nothing(
    app: Celery, body: Callable[[], None], kind: type[Failure], base: type[DiscreetTask]
) -> None:
    ended = run(app, body, base)
    assert ended.state == "FAILURE"
    assert isinstance(ended.result, kind)
    assert f"in {body.__name__}" in ended.traceback
    assert CANARY not in f"{ended.traceback} {ended.result!r} {ended.result}"
    assert "DriverError" not in ended.traceback


class TriesOnce(RetryingTask):
    """Gives up where others would try again: in a test that would go on for ever."""

    abstract = True
    max_retries = 0


def away() -> None:
    try:
        drive()
    except DriverError as error:
        raise Again("http_503", 2.04) from error


def test_a_retry_is_told_with_its_reason_and_without_its_cause(app: Celery) -> None:
    ended = run(app, away, TriesOnce)
    assert repr(ended.result) == "http_503, again in 2.0 s"
    assert CANARY not in str(ended.traceback)


@pytest.mark.parametrize("steering", [Ignore(), Reject("no", requeue=False)])
def test_what_steers_celery_goes_through(app: Celery, steering: Exception) -> None:
    def steer() -> None:
        raise steering

    assert run(app, steer).state in {"IGNORED", "REJECTED"}


def test_a_skipped_tick_is_a_failure_only_where_it_is_watched() -> None:
    away = QueueAway("no answer", service="redis")
    skipped(away, is_watched=False)
    with pytest.raises(QueueAway):
        skipped(away, is_watched=True)
