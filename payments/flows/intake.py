"""From a batch of records to rows in the inbox and calls in the queue."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from payments.envelope import Record
from payments.event import Event, Provider
from payments.failures import DataRefused, Permanent, QueueAway, RuleBroken, Undecodable
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from payments.ledger.inbox import Arrival, Inbox, Wakeup
from payments.providers.decoding import decode_event
from payments.providers.recognise import marks_of, recognise
from payments.queue.wakeups import Wakeups


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch. `woken` is less than `new` where Redis is away, or events need no work.

    `undecodable` are the places in the batch of the records that are no payment event; they are among the dead.
    """

    new: int
    known: int
    dead: int
    woken: int
    undecodable: tuple[int, ...] = ()


class Entrance(Protocol):
    """Where batches of records go."""

    def take(self, records: Sequence[Record]) -> Taken:
        """Store every record of the batch, as an event or as a dead letter, and wake the workers."""


class Intake:
    """The order is the promise: first the inbox, then the queue; the caller commits offsets after both.

    A crash between any two leaves records that come again, or rows that the sweeper finds. Raises DatabaseAway, with
    nothing stored that a repetition would double.
    """

    def __init__(
        self,
        inbox: Inbox,
        dead_letters: DeadLetters,
        wakeups: Wakeups,
        *,
        max_bytes: int,
        tell: Callable[..., None],
    ) -> None:
        self._inbox = inbox
        self._dead_letters = dead_letters
        self._wakeups = wakeups
        self._max_bytes = max_bytes
        self._tell = tell

    def take(self, records: Sequence[Record]) -> Taken:
        """Store every record of the batch, as an event or as a dead letter, and wake the workers."""
        try:
            return self._take(records)
        except DataRefused as failure:
            return self._take_singly(records, failure)

    def _take_singly(self, records: Sequence[Record], failure: DataRefused) -> Taken:
        """Find the record that the database refuses, bury it, and take in the others."""
        if len(records) == 1:
            refused = Undecodable("$", f"the ledger cannot hold it ({failure.code})")
            self._bury([_corpse(records[0], refused)])
            return Taken(new=0, known=0, dead=1, woken=0, undecodable=(0,))
        parts = [self.take([record]) for record in records]
        return Taken(
            new=sum(part.new for part in parts),
            known=sum(part.known for part in parts),
            dead=sum(part.dead for part in parts),
            woken=sum(part.woken for part in parts),
            undecodable=tuple(place for place, part in enumerate(parts) if part.undecodable),
        )

    def _take(self, records: Sequence[Record]) -> Taken:
        arrivals, corpses = self._decode(records)
        undecodable = _places(records, corpses)
        new, calls = self._inbox.receive(arrivals) if arrivals else (0, [])
        contradictions = self._contradictions(arrivals) if new < len(arrivals) else []
        corpses += contradictions
        if corpses:
            self._bury(corpses)
        known = len(arrivals) - new - len(contradictions)
        woken = self._wake(calls)
        return Taken(new=new, known=known, dead=len(corpses), woken=woken, undecodable=undecodable)

    def _decode(self, records: Sequence[Record]) -> tuple[list[Arrival], list[Corpse]]:
        arrivals: list[Arrival] = []
        corpses: list[Corpse] = []
        for record in records:
            try:
                arrivals.append(Arrival(record, decode_record(record, self._max_bytes)))
            except Undecodable as failure:
                corpses.append(_corpse(record, failure))
        return arrivals, corpses

    def _contradictions(self, arrivals: Sequence[Arrival]) -> list[Corpse]:
        """Return the arrivals that tell something else than what is stored under their id."""
        known = self._inbox.known([arrival.event for arrival in arrivals])
        return [
            _corpse(arrival.record, CONTRADICTION, arrival.event)
            for arrival in arrivals
            if gist(known[arrival.event.provider, arrival.event.event_id]) != gist(arrival.event)
        ]

    def _bury(self, corpses: Sequence[Corpse]) -> None:
        self._dead_letters.bury(corpses)
        for corpse in corpses:
            self._tell(
                "record_buried",
                reason=corpse.burial.reason,
                provider=corpse.provider,
                partition=corpse.record.partition,
                offset=corpse.record.offset,
                correlation_id=corpse.correlation_id,
                **corpse.burial.told(),
            )

    def _wake(self, calls: Sequence[Wakeup]) -> int:
        try:
            self._wakeups.send(calls)
        except QueueAway as away:
            self._tell("wakeups_unsent", count=len(calls), code=away.code)  # the sweeper will send them
            return 0
        return len(calls)


def decode_record(record: Record, max_bytes: int) -> Event:
    """Return the event that a record tells. Raises Undecodable."""
    try:
        event_id = record.header("x-razorpay-event-id") if record.headers else None
        return decode_event(record.payload, max_bytes=max_bytes, event_id=event_id)
    except Undecodable:
        raise
    except Exception as error:
        # a record that trips our own decoder must not stop the ones behind it; its bytes are kept
        raise Undecodable("$", f"the decoder failed with {type(error).__name__}") from error


def _corpse(record: Record, failure: Permanent, event: Event | None = None) -> Corpse:
    provider = event.provider if event is not None else _sender(record.payload)
    return Corpse(record=record, burial=Burial(reason=failure.code, failure=failure), provider=provider, event=event)


def _sender(payload: bytes) -> Provider | None:
    """Return whose message it seems to be, although it cannot be read as an event."""
    try:
        return recognise(marks_of(payload))
    except (ValueError, RecursionError, Undecodable):  # msgspec's and Unicode's errors are ValueErrors
        return None


def _places(records: Sequence[Record], corpses: Sequence[Corpse]) -> tuple[int, ...]:
    """Return where in the batch these were."""
    found = {(corpse.record.partition, corpse.record.offset) for corpse in corpses}
    return tuple(place for place, record in enumerate(records) if (record.partition, record.offset) in found)


CONTRADICTION: Permanent = RuleBroken(
    "an event with the same id and other content is already known", code="contradicts_known_event", operation="intake"
)


def gist(event: Event) -> tuple[object, ...]:
    """Return what two deliveries of one event must agree on."""
    return event.kind, event.payment_id, event.amount_minor, event.currency, event.reference_id
