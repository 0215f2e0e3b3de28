from collections.abc import Iterator

import pytest
import redis

from payments.resilience.exchange import connect


@pytest.fixture
def line(redis_url: str) -> Iterator[redis.Redis]:
    """The client of a process, with the short timeouts that it has in production."""
    with connect(redis_url) as client:
        yield client
