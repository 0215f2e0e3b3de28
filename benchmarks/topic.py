"""Filling a topic with made-up payments."""

import os

from payments.event import Provider
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, StreamPublisher
from workers.traffic import Traffic


def fill(bootstrap_servers: str, topic: str, count: int, *, providers: tuple[Provider, ...] = tuple(Provider)) -> None:
    """Produce `count` events to `topic`, and wait until the brokers have confirmed them."""
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=bootstrap_servers))
    traffic = Traffic(int.from_bytes(os.urandom(3)), providers, duplicate_ratio=0.0)
    publisher.send(
        Outgoing(topic=topic, key=message.key, value=message.value, headers=list(message.headers))
        for message in traffic.messages(count)
    )
