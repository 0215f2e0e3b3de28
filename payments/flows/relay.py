"""Sending the outbox."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from payments.failures import CircuitOpen, PublishFailed, PublishRefused
from payments.ledger.bell import Bell
from payments.ledger.lanes import ALL_LANES, Lanes
from payments.ledger.outbox import Letter, Outbox
from payments.log_events import Tell
from payments.streams.publisher import Outgoing, to_repeat
from payments.streams.publisher_report import PublisherReport
from payments.streams.topics import Topics

Outdate = Callable[[Mapping[str, int]], None]
"""Takes the newest revision of payments, by id, before others are told of them."""


def _nothing(_revisions: Mapping[str, int]) -> None: ...


class Publisher(Protocol):
    """Sends messages, as a `StreamPublisher` does."""

    def send(self, messages: Iterable[Outgoing]) -> int:
        """Send all and return how many, once every one is confirmed; raises as `StreamPublisher.send` does."""

    def report(self) -> PublisherReport:
        """Return how it has fared so far."""


class RelayDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay has at hand."""

    outbox: Outbox
    lanes: Lanes
    bell: Bell
    publisher: Publisher
    topics: Topics
    tell: Tell
    sends_to: tuple[str, ...] = ()
    """The topics that outgoing messages are for, as far as the settings know."""
    outdate: Outdate = _nothing
    clock: Callable[[], float] = time.monotonic


class Buried(msgspec.Struct, frozen=True):
    """A letter that the brokers will never take. `dead_letter_id` None: set aside, since it tells of a dead letter."""

    letter: Letter
    code: str
    dead_letter_id: int | None


class Relayed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one batch."""

    read: int = 0
    """How many letters were looked at."""
    sent: int = 0
    sent_to: dict[str, int] = msgspec.field(default_factory=dict)
    """How many each topic took."""
    buried: tuple[Buried, ...] = ()
    failures: dict[str, PublishFailed | CircuitOpen] = msgspec.field(default_factory=dict)
    """Why a topic did not take all, or was not asked."""
    well: tuple[str, ...] = ()
    """The topics that took all."""


def relay_batch(
    outbox: Outbox,
    publisher: Publisher,
    batch_size: int,
    lanes: Iterable[int] = ALL_LANES,
    resting: Iterable[str] = (),
    outdate: Outdate = _nothing,
) -> Relayed:
    """Send the oldest letters of these lanes in the order of each key, and forget those that are confirmed.

    One topic after the other, so that one that takes nothing costs the others only the time to find that out; those
    that rest are left out. A crash between sending and forgetting sends letters twice, with the same event id. Raises
    DatabaseAway, CircuitOpen of the ledger's breaker, KafkaBroken.
    """
    letters = outbox.waiting(batch_size, lanes, resting)
    outdate(_revisions(letters))
    topics = dict.fromkeys(letter.topic for letter in letters)
    delivered = {
        topic: _Delivery(outbox, publisher, [each for each in letters if each.topic == topic]) for topic in topics
    }
    for delivery in delivered.values():
        delivery.run()
    return Relayed(
        read=len(letters),
        sent=sum(each.sent for each in delivered.values()),
        sent_to={topic: each.sent for topic, each in delivered.items() if each.sent},
        buried=tuple(buried for each in delivered.values() for buried in each.buried),
        failures={topic: each.failure for topic, each in delivered.items() if each.failure is not None},
        well=tuple(topic for topic, each in delivered.items() if each.failure is None),
    )


class _Told(msgspec.Struct):
    """What is read of an announcement; one of a dead letter has no revision."""

    revision: int | None = None


_TOLD = msgspec.json.Decoder(_Told)


def _revisions(letters: Iterable[Letter]) -> dict[str, int]:
    """Return the newest revision that is told of each payment."""
    told = ((letter.key, _TOLD.decode(letter.payload).revision) for letter in letters)
    return {key: revision for key, revision in told if revision is not None}


class _Delivery:
    """The letters of one batch for one topic."""

    def __init__(self, outbox: Outbox, publisher: Publisher, letters: Sequence[Letter]) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._letters = letters
        self.sent = 0
        self.buried: list[Buried] = []
        self.failure: PublishFailed | CircuitOpen | None = None

    def run(self) -> None:
        """Send them; where some are refused, the others one by one."""
        try:
            self._publisher.send(map(_outgoing, self._letters))
        except PublishFailed as failure:
            self._forget_but(failure.unconfirmed)
            self.failure = failure
        except CircuitOpen as refusal:
            self.failure = refusal
        except PublishRefused as refusal:
            self._send_each(self._forget_but(refusal.unconfirmed))
        else:
            self._forget(self._letters)

    def _forget_but(self, unconfirmed: frozenset[int] | None) -> list[Letter]:
        """Forget what was confirmed and has nothing unconfirmed of its key before it; return the rest."""
        if unconfirmed is None:
            return list(self._letters)
        again = set(to_repeat([letter.key for letter in self._letters], unconfirmed))
        self._forget([letter for place, letter in enumerate(self._letters) if place not in again])
        return [letter for place, letter in enumerate(self._letters) if place in again]

    def _send_each(self, letters: Sequence[Letter]) -> None:
        """Send one after the other, until the topic takes nothing more; bury those that are refused."""
        for letter in letters:
            try:
                self._publisher.send([_outgoing(letter)])
            except PublishRefused as refusal:
                self.buried.append(Buried(letter, refusal.code, self._outbox.refused(letter, refusal)))
            except (PublishFailed, CircuitOpen) as failure:
                self.failure = failure
                return
            else:
                self._forget([letter])

    def _forget(self, letters: Sequence[Letter]) -> None:
        if letters:
            self._outbox.sent(letters)
            self.sent += len(letters)


def _outgoing(letter: Letter) -> Outgoing:
    return Outgoing(topic=letter.topic, key=letter.key.encode(), value=letter.payload, headers=[*letter.headers])
