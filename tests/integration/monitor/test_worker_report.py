"""What a worker says of itself, from Celery's own counts and real queues."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.worker import state

from tests.celery_app import queue_app
from workers.embedded.port import free_port
from workers.pulse.pulse import REDIS_AWAY
from workers.pulse.worker import WorkerReport

LIMIT_SECONDS = 9.0
POOL = SimpleNamespace(num_processes=4)


class Worker:
    """A worker's report, at the time that the test says."""

    def __init__(self, app: Celery) -> None:
        self.now = 0.0
        self.report = WorkerReport(app, POOL, LIMIT_SECONDS, lambda: self.now)

    def stuck_after(self, seconds: float) -> str:
        self.now += seconds
        return self.report().stuck


@pytest.fixture
def worker(app: Celery) -> Worker:
    return Worker(app)


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    """Leave Celery's counts as they were: they are one for each process."""
    before = state.all_total_count[0]
    yield
    state.all_total_count[0] = before


def test_a_worker_without_messages_is_well_however_long_it_does_nothing(worker: Worker) -> None:
    assert not worker.stuck_after(0.0)
    assert not worker.stuck_after(3600.0)


def test_a_worker_that_takes_nothing_of_what_waits_is_stuck(worker: Worker, client: redis.Redis) -> None:
    client.lpush("payments.stripe", "a message")
    assert not worker.stuck_after(1.0)
    assert not worker.stuck_after(LIMIT_SECONDS)
    assert worker.stuck_after(10.0) == "messages wait, and it has begun and ended no task for 19 s"
    state.all_total_count[0] += 1
    assert not worker.stuck_after(1.0)


def test_what_waits_in_a_queue_that_is_not_its_own_is_no_fault_of_a_worker(app: Celery, client: redis.Redis) -> None:
    app.amqp.queues.select(["payments.paypal"])
    worker = Worker(app)
    client.lpush("payments.stripe", "a message")
    assert not worker.stuck_after(1.0)
    assert not worker.stuck_after(60.0)


def test_a_broker_that_is_away_is_a_trouble_and_nothing_that_a_restart_would_mend() -> None:
    worker = Worker(queue_app(f"redis://127.0.0.1:{free_port()}/0"))
    assert set(worker.report().troubles) == {REDIS_AWAY}
    assert not worker.stuck_after(60.0)


def test_a_worker_comes_back_to_its_broker(worker: Worker, client: redis.Redis) -> None:
    assert not worker.report().troubles
    client.client_kill_filter(_type="normal", skipme=True)
    worker.report()
    assert not worker.report().troubles


def test_the_figures_are_those_of_celery(worker: Worker) -> None:
    state.all_total_count[0] += 3
    numbers = worker.report().numbers
    assert (numbers["active"], numbers["concurrency"]) == (len(state.active_requests), 4)
    assert numbers["done"] == state.all_total_count[0] - numbers["active"]
