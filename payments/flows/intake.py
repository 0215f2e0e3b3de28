"""From a batch of records to rows in the inbox and calls in the queue."""

from collections.abc import Callable, Sequence

import msgspec

from payments.envelope import Record
from payments.event import Event
from payments.failures import DataRefused, Permanent, QueueAway, RuleBroken, Undecodable
from payments.ledger.dead_letters import Corpse, DeadLetters
from payments.ledger.inbox import Arrival, Inbox, Wakeup
from payments.providers.decoding import decode_event
from payments.queue.wakeups import Wakeups


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch. `woken` is less than `new` where Redis is away, or events need no work."""

    new: int
    known: int
    dead: int
    woken: int


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
        dead_letter_topic: str,
        tell: Callable[..., None],
    ) -> None:
        self._inbox = inbox
        self._dead_letters = dead_letters
        self._wakeups = wakeups
        self._max_bytes = max_bytes
        self._dead_letter_topic = dead_letter_topic
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
            self._bury([Corpse(record=records[0], failure=refused)])
            return Taken(new=0, known=0, dead=1, woken=0)
        parts = [self.take([record]) for record in records]
        return Taken(
            new=sum(part.new for part in parts),
            known=sum(part.known for part in parts),
            dead=sum(part.dead for part in parts),
            woken=sum(part.woken for part in parts),
        )

    def _take(self, records: Sequence[Record]) -> Taken:
        arrivals, corpses = self._decode(records)
        new, calls = self._inbox.receive(arrivals) if arrivals else (0, [])
        contradictions = self._contradictions(arrivals) if new < len(arrivals) else []
        corpses += contradictions
        if corpses:
            self._bury(corpses)
        known = len(arrivals) - new - len(contradictions)
        return Taken(new=new, known=known, dead=len(corpses), woken=self._wake(calls))

    def _decode(self, records: Sequence[Record]) -> tuple[list[Arrival], list[Corpse]]:
        arrivals: list[Arrival] = []
        corpses: list[Corpse] = []
        for record in records:
            try:
                arrivals.append(Arrival(record, self._event(record)))
            except Undecodable as failure:
                corpses.append(Corpse(record=record, failure=failure))
        return arrivals, corpses

    def _event(self, record: Record) -> Event:
        try:
            event_id = record.header("x-razorpay-event-id") if record.headers else None
            return decode_event(record.payload, max_bytes=self._max_bytes, event_id=event_id)
        except Undecodable:
            raise
        except Exception as error:
            # a record that trips our own decoder must not stop the ones behind it; its bytes are kept
            raise Undecodable("$", f"the decoder failed with {type(error).__name__}") from error

    def _contradictions(self, arrivals: Sequence[Arrival]) -> list[Corpse]:
        """Return the arrivals that tell something else than what is stored under their id."""
        known = self._inbox.known([arrival.event for arrival in arrivals])
        return [
            Corpse(
                record=arrival.record,
                failure=_CONTRADICTION,
                provider=arrival.event.provider,
                event_id=arrival.event.event_id,
            )
            for arrival in arrivals
            if _gist(known[arrival.event.provider, arrival.event.event_id]) != _gist(arrival.event)
        ]

    def _bury(self, corpses: Sequence[Corpse]) -> None:
        self._dead_letters.bury(corpses, self._dead_letter_topic)
        for corpse in corpses:
            self._tell(
                "record_buried",
                reason=corpse.failure.code,
                partition=corpse.record.partition,
                offset=corpse.record.offset,
            )

    def _wake(self, calls: Sequence[Wakeup]) -> int:
        try:
            self._wakeups.send(calls)
        except QueueAway as away:
            self._tell("wakeups_unsent", count=len(calls), code=away.code)  # the sweeper will send them
            return 0
        return len(calls)


_CONTRADICTION: Permanent = RuleBroken(
    "an event with the same id and other content is already known", code="contradicts_known_event", operation="intake"
)


def _gist(event: Event) -> tuple[object, ...]:
    """Return what two deliveries of one event must agree on."""
    return event.kind, event.payment_id, event.amount_minor, event.currency, event.reference_id
