"""Sending the outbox."""

from payments.ledger.outbox import Letter, Outbox
from payments.streams.publisher import Outgoing, StreamPublisher


def relay_batch(outbox: Outbox, publisher: StreamPublisher, batch_size: int) -> int:
    """Send the oldest messages in their order, forget those that are confirmed, and return how many.

    A crash between sending and forgetting sends them twice, with the same event id. Raises PublishFailed, DatabaseAway.
    """
    letters = outbox.waiting(batch_size)
    if letters:
        publisher.send(map(_outgoing, letters))
        outbox.sent(letters)
    return len(letters)


def _outgoing(letter: Letter) -> Outgoing:
    return Outgoing(topic=letter.topic, key=letter.key.encode(), value=letter.payload)
