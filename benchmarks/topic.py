"""Filling a topic with made-up payments."""

import os
from itertools import islice

from payments.event import Kind
from payments.providers.decoding import decode_event
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import StreamPublisher
from workers.traffic import Message, Traffic, outgoing

_ENOUGH = 10  # of which at least one in ten calls the provider


def fill(bootstrap_servers: str, topic: str, count: int, *, io_bound: bool = False) -> None:
    """Produce `count` events of all providers, and wait until the brokers have confirmed them.

    `io_bound` leaves only events that make a worker call the provider: requests and authorizations.
    """
    publisher = StreamPublisher(KafkaAccess(bootstrap_servers=bootstrap_servers))
    messages = Traffic(int.from_bytes(os.urandom(3)), duplicate_ratio=0.0).messages(count * _ENOUGH)
    wanted = (message for message in messages if not io_bound or _calls_the_provider(message))
    publisher.send(outgoing(message, topic) for message in islice(wanted, count))


def _calls_the_provider(message: Message) -> bool:
    return decode_event(message.value).kind in {Kind.REQUESTED, Kind.AUTHORIZED}
