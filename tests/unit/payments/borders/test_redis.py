import pytest
import redis
from kombu.exceptions import BatchPublishError, OperationalError

from payments.borders.redis import failure_of_redis
from payments.failures import QueueAway


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (redis.ConnectionError("refused"), "queue_away"),
        (redis.TimeoutError("slow"), "queue_timeout"),
        (redis.exceptions.OutOfMemoryError("command not allowed"), "out_of_memory"),
        (redis.ReadOnlyError("replica"), "queue_read_only"),
        (redis.BusyLoadingError("loading"), "queue_loading"),
        (redis.AuthenticationError("wrong password"), "queue_unauthorized"),
        (redis.exceptions.NoPermissionError("no"), "queue_unauthorized"),
        (redis.exceptions.MaxConnectionsError("10"), "queue_connections_spent"),
        (redis.ResponseError("whatever"), "queue_away"),
        (BatchPublishError("uncertain"), "queue_uncertain"),
        (OperationalError("gone"), "queue_away"),
        (OSError("gone"), "queue_away"),
        (KeyError(7), "queue_away"),
    ],
)
def test_whatever_redis_says_the_queue_is_away_and_the_code_tells_why(error: Exception, code: str) -> None:
    failure = failure_of_redis(error, "send")
    assert type(failure) is QueueAway
    assert (failure.code, failure.service, failure.operation) == (code, "redis", "send")


def test_the_reason_is_found_beneath_what_kombu_makes_of_it() -> None:
    error = OperationalError("kombu's own")
    error.__cause__ = redis.exceptions.OutOfMemoryError("command not allowed")
    assert failure_of_redis(error, "send").code == "out_of_memory"
    uncertain = BatchPublishError("kombu's own")
    uncertain.__context__ = redis.ReadOnlyError("replica")
    assert failure_of_redis(uncertain, "send").code == "queue_read_only"
