"""The latest changes, in memory, for all streams that keep up."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

from payferry.v1 import payment_pb2 as pb
from payments.ledger.feed import Change, Position
from workers.api.cursors import StreamCursor
from workers.api.messages import change_message


class Told:
    """One change as streams tell it, written out once for all that want it."""

    def __init__(self, change: Change, epoch: str) -> None:
        self.change = change
        self.cursor = StreamCursor(epoch, change.position.txid, change.position.number).text()

    @cached_property
    def masked(self) -> bytes:
        """The change as a part of an answer, without e-mail in clear."""
        return _part(change_message(self.change, self.cursor, whole=False))

    @cached_property
    def whole(self) -> bytes:
        """The change as a part of an answer, with e-mail in clear."""
        return _part(change_message(self.change, self.cursor, whole=True))


def _part(event: pb.PaymentEvent) -> bytes:
    """Return an answer with this event alone.

    Answers that are written one behind the other are read as one answer that has all their events:
    https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """
    return pb.StreamPaymentsResponse(events=[event]).SerializeToString()


class Ring:
    """At most `limit` changes without a gap: all after `start` up to `end`. Older ones make room for newer."""

    def __init__(self, start: Position, limit: int) -> None:
        self.start = start
        self.end = start
        self._limit = limit
        self._told: list[Told] = []
        self._positions: list[Position] = []

    def add(self, told: Iterable[Told], reached: Position) -> None:
        """Take the changes that come after `end`, up to `reached`."""
        for each in told:
            self._told.append(each)
            self._positions.append(each.change.position)
        self.end = max(self.end, reached)
        if len(self._told) >= 2 * self._limit:  # in large steps, since each moves all that stay
            self._trim(len(self._told) - self._limit)

    def holds(self, position: Position) -> bool:
        """Return whether all after `position` is here."""
        return position >= self.start

    def is_near(self, position: Position) -> bool:
        """Return whether a stream that stands there can read on here, with half of the room to spare."""
        return self.holds(position) and len(self._told) - bisect_right(self._positions, position) <= self._limit / 2

    def after(self, position: Position, limit: int) -> Sequence[Told]:
        """Return what comes after `position`, at most `limit`."""
        begin = bisect_right(self._positions, position)
        return self._told[begin : begin + limit]

    def _trim(self, count: int) -> None:
        self.start = self._positions[count - 1]
        del self._told[:count]
        del self._positions[:count]
