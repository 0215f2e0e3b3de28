"""Sending the outbox."""

from collections.abc import Sequence

from payments.failures import PublishFailed, PublishRefused
from payments.ledger.outbox import Letter, Outbox
from payments.streams.publisher import Outgoing, StreamPublisher


def relay_batch(outbox: Outbox, publisher: StreamPublisher, batch_size: int) -> int:
    """Send the oldest messages in their order, forget those that are confirmed, and return how many.

    A crash between sending and forgetting sends them twice, with the same event id. Raises PublishFailed, DatabaseAway.
    """
    letters = outbox.waiting(batch_size)
    try:
        publisher.send(map(_outgoing, letters))
    except PublishFailed as failure:  # one topic that cannot be written does not make the others come twice
        _forget_confirmed(outbox, letters, failure.unconfirmed)
        raise
    except PublishRefused as refusal:
        left = _forget_confirmed(outbox, letters, refusal.unconfirmed)
        return len(letters) - len(left) + sum(_send_one(outbox, publisher, letter) for letter in left)
    outbox.sent(letters)
    return len(letters)


def _forget_confirmed(outbox: Outbox, letters: Sequence[Letter], unconfirmed: frozenset[int] | None) -> list[Letter]:
    """Forget the letters that were confirmed, if it is known which, and return the others."""
    if unconfirmed is None:
        return list(letters)
    outbox.sent([letter for place, letter in enumerate(letters) if place not in unconfirmed])
    return [letter for place, letter in enumerate(letters) if place in unconfirmed]


def _send_one(outbox: Outbox, publisher: StreamPublisher, letter: Letter) -> int:
    """Send one letter alone; one that the brokers will never take is set aside, so that it holds nothing up."""
    try:
        publisher.send([_outgoing(letter)])
    except PublishRefused as refusal:
        outbox.set_aside(letter, refusal.message)
    else:
        outbox.sent([letter])
    return 1


def _outgoing(letter: Letter) -> Outgoing:
    return Outgoing(topic=letter.topic, key=letter.key.encode(), value=letter.payload, headers=[*letter.headers])
