"""Kafka and Redis: real clients against servers that go wrong, and librdkafka's own codes where none would say them."""

from contextlib import closing

import pytest
import redis
from confluent_kafka import KafkaError

from config.celery import PROCESS_TASK
from payments.borders.kafka import failure_of_publishing
from payments.failures import Failure, Undecodable
from payments.ledger.inbox import Wakeup
from payments.providers.decoding import decode_event
from payments.queue.wakeups import Wakeups
from payments.streams import reader as reading
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, StreamPublisher
from payments.streams.reader import TopicReader
from tests.celery_app import queue_app
from tests.failure_stages.network import Staged
from workers.embedded.kafka_mock import KafkaMock
from workers.embedded.valkey import Valkey


def kafka_says(name: str, *, fatal: bool = False) -> Staged:
    """Return a stage: librdkafka's error of that name."""
    return lambda _request: failure_of_publishing(KafkaError(getattr(KafkaError, name), "as told", fatal=fatal))


def too_large(request: pytest.FixtureRequest) -> Failure:
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=request.getfixturevalue("kafka_bootstrap")))
    with pytest.raises(Failure) as caught:
        publisher.send([Outgoing(topic="t", key=b"k", value=b"x" * 3_000_000)])  # above what the producer itself takes
    return caught.value


def not_confirmed(_request: pytest.FixtureRequest) -> Failure:
    with KafkaMock() as mock:
        publisher = StreamPublisher(KafkaAccess(bootstrap_servers=mock.bootstrap_servers), delivery_timeout_seconds=1)
        publisher.send([Outgoing(topic="t", key=b"k", value=b"before")])
        mock.set_down()
        with pytest.raises(Failure) as caught:
            publisher.send([Outgoing(topic="t", key=b"k", value=b"meanwhile")])
        return caught.value


def kafka_away(request: pytest.FixtureRequest) -> Failure:
    request.getfixturevalue("monkeypatch").setattr(reading, "_SECONDS", 0.5)  # nobody will come
    reader = TopicReader(KafkaAccess(bootstrap_servers="127.0.0.1:1"), "t", "g")
    with closing(reader), pytest.raises(Failure) as caught:
        reader.ends()
    return caught.value


def redis_away(_request: pytest.FixtureRequest) -> Failure:
    with Valkey() as server:
        url = server.url
    return _unsent(url)


def redis_full(_request: pytest.FixtureRequest) -> Failure:
    with Valkey() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "1")
        return _unsent(server.url)


def redis_read_only(_request: pytest.FixtureRequest) -> Failure:
    with Valkey() as server:
        with redis.Redis.from_url(server.url) as client:
            client.replicaof("127.0.0.1", "1")
        return _unsent(server.url)


def redis_locked(_request: pytest.FixtureRequest) -> Failure:
    with Valkey() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", "another")
        return _unsent(server.url)


def no_event(_request: pytest.FixtureRequest) -> Failure:
    with pytest.raises(Undecodable) as caught:
        decode_event(b'{"id": "evt_1", "type": ', max_bytes=1000, event_id=None)
    return caught.value


def _unsent(url: str) -> Failure:
    with closing(queue_app(url)) as app, pytest.raises(Failure) as caught:
        Wakeups(app, PROCESS_TASK).send([Wakeup(inbox_id=1, number=1, provider="stripe", payment_id="p")])
    return caught.value
