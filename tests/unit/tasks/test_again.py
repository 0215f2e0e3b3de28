import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Task
from celery.exceptions import Retry

from payments.failures import CircuitOpen, DatabaseAway, Permanent, Transient, Unavailable
from tasks.again import Again, RetryingTask

_numbers = itertools.count(1)

AWAY = DatabaseAway("no answer", code="database_away", service="database")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list in which every retry that is asked of Celery is written."""
    told: list[dict[str, Any]] = []

    def retry(_task: Task, *_args: object, **options: Any) -> Retry:  # noqa: ANN401 - Celery's own
        told.append(options)
        raise Retry

    monkeypatch.setattr(Task, "retry", retry)
    return told


@pytest.fixture
def app() -> Iterator[Celery]:
    made = Celery("test", broker="memory://", set_as_current=False)
    made.conf.task_ignore_result = True
    yield made
    made.close()


def run(app: Celery, failure: Exception | None) -> str:
    def work() -> None:
        if failure is not None:
            raise failure

    name = f"tests.again.{next(_numbers)}"
    return str(app.task(work, base=RetryingTask, name=name, shared=False).apply().state)


def test_an_event_that_is_due_again_is_retried_after_the_delay_that_the_ledger_told(
    app: Celery, asked: list[dict[str, Any]]
) -> None:
    failure = Again("http_503", 7.25)
    assert run(app, failure) == "RETRY"
    assert [(told["countdown"], told["exc"]) for told in asked] == [(7.25, failure)]


@pytest.mark.parametrize(("told_seconds", "least", "most"), [(12.0, 13.0, 15.0), (300.0, 31.0, 33.0)])
def test_where_the_breaker_of_the_ledger_is_open_a_message_waits_about_as_long(
    app: Celery, asked: list[dict[str, Any]], told_seconds: float, least: float, most: float
) -> None:
    run(app, CircuitOpen("open", retry_after_seconds=told_seconds, service="database"))
    assert least <= asked[0]["countdown"] <= most


def test_a_delay_of_nothing_is_kept(app: Celery, asked: list[dict[str, Any]]) -> None:
    run(app, Again("http_503", 0.0))
    assert asked[0]["countdown"] == 0.0


@pytest.mark.parametrize("failure", [AWAY, Unavailable("no answer", code="http_503")])
def test_a_server_that_is_away_is_asked_again_after_a_few_seconds(
    app: Celery, asked: list[dict[str, Any]], failure: Transient
) -> None:
    for _ in range(20):
        run(app, failure)
    assert all(1.0 <= told["countdown"] <= 3.0 for told in asked)
    assert len({told["countdown"] for told in asked}) > 1


@pytest.mark.parametrize("failure", [Permanent("no", code="no"), ValueError("a bug")])
def test_what_is_not_transient_is_not_retried(app: Celery, asked: list[dict[str, Any]], failure: Exception) -> None:
    assert run(app, failure) == "FAILURE"
    assert asked == []


def test_a_task_that_ends_well_is_not_retried(app: Celery, asked: list[dict[str, Any]]) -> None:
    assert run(app, None) == "SUCCESS"
    assert asked == []


def test_celery_itself_never_stops_retrying() -> None:
    assert RetryingTask.max_retries is None
