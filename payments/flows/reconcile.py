"""Comparing what was produced with what the ledger holds and with what the providers did."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from payments.envelope import Record
from payments.event import Event
from payments.failures import Undecodable
from payments.ledger.census import Census
from payments.ledger.state import ENDED
from payments.providers.decoding import decode_event

_CHUNK = 5000


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """The books against the topic: produced = settled + declined + ignored + superseded + dead + in_flight + lost.

    `produced` counts events, so a record that tells a known event again is not in it but in `duplicates`.
    `double_effects` counts captures beyond the first of a payment, at the provider or in the books;
    `money_mismatch` payments whose entries, own amounts and provider do not agree.
    """

    produced: int
    settled: int
    declined: int
    ignored: int
    superseded: int
    dead: int
    in_flight: int
    duplicates: int
    lost: int
    double_effects: int
    money_mismatch: int

    @property
    def is_clean(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.double_effects or self.money_mismatch)


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A capture that a provider performed, under the provider's name of the payment."""

    name: str
    amount_minor: int | None


class Tally:
    """Reads the topic's records one by one and keeps what is needed of them: ids and places, not payloads."""

    def __init__(self, census: Census, topic: str, max_bytes: int) -> None:
        self._census = census
        self._max_bytes = max_bytes
        self._buried = census.buried_records(topic)
        self._seen: set[tuple[str, str]] = set()
        self._asked: list[tuple[tuple[str, str], bool]] = []
        self._counts: Counter[str] = Counter()

    def count(self, record: Record, *, committed: bool) -> None:
        """Take one record; `committed` says that the group has committed an offset beyond it."""
        event = self._event(record)
        buried_as = self._buried.get((record.partition, record.offset))
        if buried_as is not None:
            self._counts[buried_as if buried_as in {*ENDED, "duplicates"} else "in_flight"] += 1
        elif event is None:
            self._counts["lost" if committed else "in_flight"] += 1
        elif (event.provider, event.event_id) in self._seen:
            self._counts["duplicates"] += 1
        else:
            self._seen.add((event.provider, event.event_id))
            self._asked.append(((event.provider, event.event_id), committed))
            if len(self._asked) >= _CHUNK:
                self._ask()

    def result(self, double_effects: int, money_mismatch: int) -> Reconciliation:
        """Return the whole, once every record was counted."""
        self._ask()
        counts = self._counts
        produced = sum(counts.values()) - counts["duplicates"]
        names = ("settled", "declined", "ignored", "superseded", "dead", "in_flight", "duplicates", "lost")
        told = {name: counts[name] for name in names}
        return Reconciliation(produced=produced, double_effects=double_effects, money_mismatch=money_mismatch, **told)

    def _event(self, record: Record) -> Event | None:
        try:
            return decode_event(
                record.payload, max_bytes=self._max_bytes, event_id=record.header("x-razorpay-event-id")
            )
        except Undecodable:
            return None

    def _ask(self) -> None:
        """Look up the states of the events that were met since."""
        states = self._census.states_of([key for key, _ in self._asked])
        for key, committed in self._asked:
            state = states.get(key)
            if state is None:
                self._counts["lost" if committed else "in_flight"] += 1
            else:
                self._counts[state if state in ENDED else "in_flight"] += 1
        self._asked.clear()


def check_money(census: Census, captures: Iterable[Capture] | None) -> tuple[int, int]:
    """Return the numbers of double effects and of money mismatches.

    `captures` are what the providers performed, or None where they cannot be asked: then the books are checked alone.
    """
    wrong = set(census.unbalanced()) | set(census.misbooked())
    if captures is None:
        return 0, len(wrong)
    performed = _by_payment(census, captures)
    doubles = sum(len(amounts) - 1 for amounts in performed.values())
    wrong |= _disagreeing(census, performed)
    return doubles, len(wrong)


def _by_payment(census: Census, captures: Iterable[Capture]) -> dict[str, list[int | None]]:
    """Return the amounts captured, by ordering key."""
    listed = list(captures)
    keys = census.ordering_keys({capture.name for capture in listed})
    performed: dict[str, list[int | None]] = {}
    for capture in listed:
        performed.setdefault(keys.get(capture.name, capture.name), []).append(capture.amount_minor)
    return performed


def _disagreeing(census: Census, performed: Mapping[str, list[int | None]]) -> set[str]:
    """Return the payments of which the books and the provider tell different amounts.

    A capture that the provider performed must be booked, unless its event is still on its way; one that we booked as
    our own act must have been performed.
    """
    booked = {told["ordering_key"]: told for told in census.captures()}
    unfinished = census.unfinished_keys()
    unbooked = {key for key in performed if key not in booked or not booked[key]["captured_minor"]} - unfinished
    unperformed = {key for key, told in booked.items() if told["acted"] and key not in performed}
    other_amount = {
        key
        for key, amounts in performed.items()
        if key in booked and booked[key]["captured_minor"] not in {0, *amounts} and None not in amounts
    }
    return unbooked | unperformed | other_amount
