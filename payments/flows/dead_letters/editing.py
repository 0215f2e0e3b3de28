"""Mending the payload of a dead letter, and sending that back in its place."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec

from payments.envelope import Record
from payments.event import Event
from payments.failures import QueueAway, Undecodable
from payments.flows.intake import decode_record
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import Changes, Edited, NotPossible, Original
from payments.ledger.dead_letters.choice import OPEN
from payments.ledger.dead_letters.outgoing import ORIGIN
from payments.queue.wakeups import Wakeups


def with_values(payload: bytes, told: list[tuple[str, str]]) -> bytes:
    """Return the JSON payload with each path, such as `data.object.amount` or `items.0.id`, at its new value.

    A value that reads as JSON is that, anything else a text; a path must exist but for its last name. Raises
    NotPossible.
    """
    try:
        document = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotPossible(f"the payload is no JSON ({error}): edit it as text, without --set") from None
    for path, value in told:
        _put(document, path, _value(value))
    return _ENCODER.encode(document)


def edited_event(original: Original, payload: bytes, max_bytes: int) -> Event:
    """Return the event that the edited payload tells. Raises NotPossible, naming what is wrong and the fix."""
    if original.origin == ORIGIN:
        raise NotPossible(
            f"dead letter {original.letter_id} is a message of ours, which tells what is booked and cannot be edited; "
            "replay it once the brokers take it, or discard it"
        )
    record = Record(
        topic=original.topic,
        partition=original.partition,
        offset=original.offset,
        key=None,
        headers=[*original.headers],
        payload=payload,
    )
    try:
        event = decode_record(record, max_bytes)
    except Undecodable as wrong:
        raise NotPossible(f"the edited payload is no payment event: {wrong.message}") from None
    check_edit(original, event)
    return event


def check_edit(original: Original, event: Event) -> None:
    """Raise NotPossible where `event` may not take the place of what the letter holds."""
    if original.state not in OPEN:
        raise NotPossible(
            f"dead letter {original.letter_id} is {original.state}; only pending and parked ones can be edited"
        )
    before = original.event
    if before is None or original.inbox_id is None:
        return
    if (event.provider, event.event_id) != (before.provider, before.event_id):
        raise NotPossible(
            f"the edit names the event {event.provider} {event.event_id}; it must stay {before.provider} "
            f"{before.event_id}, since that is what the provider's answers and the ledger go by"
        )
    changed = [name for name in _ASKED_FOR if getattr(event, name) != getattr(before, name)]
    if original.has_begun and changed:
        raise NotPossible(
            f"something was asked of the provider for this event already, so its {' and '.join(changed)} must stay; "
            "`payferry payment` shows what was done"
        )


_ASKED_FOR = ("kind", "payment_id", "ordering_key", "amount_minor", "currency")
"""What a provider was asked for in the name of an event: our keys, and the books, go by it."""


def edit(changes: Changes, wakeups: Wakeups, original: Original, payload: bytes, event: Event, actor: Actor) -> Edited:
    """Replay the edited payload as a child of the letter. Raises NotPossible, DatabaseAway."""
    edited = changes.edit(original.letter_id, payload, event, actor, lambda now: check_edit(now, event))
    if edited.call is not None:
        with suppress(QueueAway):  # the sweeper will send it
            wakeups.send([edited.call])
    return edited


def _put(document: Any, path: str, value: Any) -> None:  # noqa: ANN401 - JSON of any form
    names = path.removeprefix("$").strip(".").split(".")
    place = document
    for depth, name in enumerate(names[:-1]):
        place = _within(place, name, ".".join(names[: depth + 1]))
    last = names[-1]
    if isinstance(place, list):
        _within(place, last, path)
        place[int(last)] = value
    elif isinstance(place, dict) and last:
        place[last] = value
    else:
        raise NotPossible(f"{path}: there is no object to hold {last!r}")


def _within(place: Any, name: str, path: str) -> Any:  # noqa: ANN401 - JSON of any form
    if isinstance(place, dict) and name in place:
        return place[name]
    if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
        return place[int(name)]
    known = ", ".join(list(place)[:10]) if isinstance(place, dict) else "no names"
    raise NotPossible(f"{path}: there is no such place in the payload; beside it are {known}")


_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # so that 12.00 stays what it is, and a long number whole
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def _value(told: str) -> Any:  # noqa: ANN401 - JSON of any form
    try:
        return _DECODER.decode(told)
    except msgspec.DecodeError:
        return told
