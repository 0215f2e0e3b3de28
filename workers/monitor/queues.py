"""What lies on Celery's broker."""

import redis

from config.celery import QUEUES
from workers.monitor.survey import QueuesSeen

_UNACKNOWLEDGED = "unacked"  # the hash in which kombu keeps what workers have in hand


def read_queues(client: redis.Redis) -> QueuesSeen:
    """Return how many messages each queue holds, and how many workers hold. Raises redis.RedisError."""
    with client.pipeline(transaction=False) as pipe:
        for name in QUEUES:
            pipe.llen(name)
        pipe.hlen(_UNACKNOWLEDGED)
        *waiting, unacknowledged = pipe.execute()
    return QueuesSeen(waiting=dict(zip(QUEUES, waiting, strict=True)), unacknowledged=unacknowledged)
