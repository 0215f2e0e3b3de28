"""A Celery app, its Redis and its wake-ups, for the tests that look into the queue itself."""

from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from config.celery import PROCESS_TASK
from payments.queue.wakeups import Wakeups
from tests.celery_app import queue_app


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = queue_app(redis_url)
    yield made
    made.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def wakeups(app: Celery) -> Wakeups:
    return Wakeups(app, PROCESS_TASK)
