"""One stream: first what was there, then what has changed since, then what changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from payferry.v1 import payment_pb2 as pb
from payments.ledger.feed import Feed, Position, Purged
from payments.ledger.views import PaymentViews, Place
from payments.view import PaymentFilter, PaymentView
from workers.api.cursors import StreamCursor
from workers.api.hub import Hub, Stream, too_slow
from workers.api.messages import existing_message
from workers.api.refusals import cursor_lost
from workers.api.ring import Told
from workers.api.threads import Threads

Write = Callable[[bytes], Awaitable[None]]

BATCH = 250
"""Most events of one message: some 100 KB."""

_EVERYTHING = PaymentFilter()
_BEFORE_ALL = Place(datetime.min.replace(tzinfo=UTC), "")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream is to tell, to which client, and from where on. `whole`: with e-mail in clear."""

    filter: PaymentFilter
    begin: StreamCursor
    whole: bool
    client: str


class Source(msgspec.Struct, frozen=True):
    """Where streams read: what was there, what has changed, and the threads in which the ledger is asked."""

    views: PaymentViews
    feed: Feed
    threads: Threads


def from_now(epoch: str, position: Position, *, existing: bool) -> StreamCursor:
    """Return the cursor of a stream that begins, with the existing payments first where that is asked for."""
    cursor = StreamCursor(epoch, position.txid, position.number)
    return _at(cursor, _BEFORE_ALL) if existing else cursor


class Subscription:
    """Writes one stream, a message at a time. The next one is made only once the client took the one before.

    What is read from the ledger is written out in the thread that has read it: many who catch up at once would keep the
    event loop from those that are live.
    """

    def __init__(self, hub: Hub, source: Source, wanted: Wanted) -> None:
        self._hub = hub
        self._source = source
        self._wanted = wanted
        self._takes_all = wanted.filter == _EVERYTHING
        self._told = 0

    async def run(self, write: Write) -> None:
        """Write until the stream is cut off or its client goes. Raises Refusal, and what the ledger raises."""
        with self._hub.joined(self._wanted.begin.position, self._wanted.client) as stream:
            try:
                await self._write_all(stream, write)
            except asyncio.CancelledError:
                if stream.cut_off is None:
                    raise
            assert stream.cut_off is not None  # it does not end by itself
            raise stream.cut_off

    async def _write_all(self, stream: Stream, write: Write) -> None:
        stream.cursor = self._wanted.begin.text()
        async for message, cursor in self._messages(stream):
            stream.cursor = cursor
            stream.writing_since = self._hub.now()
            await write(message)
            stream.writing_since = None
            self._hub.told += self._told
            self._told = 0

    async def _messages(self, stream: Stream) -> AsyncIterator[tuple[bytes, str]]:
        """Give each message, and the cursor with which the stream goes on after it."""
        async for message in self._existing():
            yield message
        yield self._message([], stream.position)  # from here all is new, and the client has a cursor
        while True:
            yield self._message(await self._next_parts(stream), stream.position)

    async def _existing(self) -> AsyncIterator[tuple[bytes, str]]:
        place = self._wanted.begin.place
        while place is not None:
            message, place = await self._source.threads.ask(partial(self._page, place))
            if message is not None:
                yield message

    def _page(self, place: Place) -> tuple[tuple[bytes, str] | None, Place | None]:
        """Return what is there after `place`, written out, and how far that goes; None where that is all."""
        views = self._source.views.settled_before(
            self._wanted.begin.position.next_txid, self._wanted.filter, BATCH, place
        )
        message = self._existing_message(views) if views else None
        return message, Place(views[-1].created_at, views[-1].id) if len(views) == BATCH else None

    def _existing_message(self, views: Sequence[PaymentView]) -> tuple[bytes, str]:
        cursors = [_at(self._wanted.begin, Place(view.created_at, view.id)).text() for view in views]
        events = [
            existing_message(view, cursor, whole=self._wanted.whole)
            for view, cursor in zip(views, cursors, strict=True)
        ]
        self._told += len(events)
        return pb.StreamPaymentsResponse(events=events, cursor=cursors[-1]).SerializeToString(), cursors[-1]

    async def _next_parts(self, stream: Stream) -> list[bytes]:
        """Return what is next for this stream; nothing where it is time for a sign of life."""
        until = self._hub.now() + self._hub.policy.heartbeat_seconds
        while True:
            told = await self._read_on(stream)
            if parts := self._parts(told):
                return parts
            left_seconds = until - self._hub.now()
            if left_seconds <= 0:
                return []
            if stream.is_live and not told and not await self._hub.news(left_seconds):
                return []

    async def _read_on(self, stream: Stream) -> Sequence[Told]:
        """Read on in the feed, and note how far; as soon as it can keep up, in memory."""
        ring = self._hub.ring
        if not stream.is_live and not ring.is_near(stream.position):
            return await self._catch_up(stream)
        if not ring.holds(stream.position):
            raise too_slow(stream.cursor)
        stream.is_live = True
        told = ring.after(stream.position, BATCH)
        stream.position = told[-1].change.position if len(told) == BATCH else max(stream.position, ring.end)
        return told

    async def _catch_up(self, stream: Stream) -> Sequence[Told]:
        told, stream.position = await self._source.threads.ask(partial(self._after, stream.position))
        return told

    def _after(self, position: Position) -> tuple[Sequence[Told], Position]:
        """Return the changes after `position`, written out, and how far they go."""
        stretch = self._source.feed.after(position, BATCH)
        if isinstance(stretch, Purged):
            raise cursor_lost("what came after this cursor is no longer kept")
        told = [Told(change, self._wanted.begin.epoch) for change in stretch.changes]
        self._parts(told)
        return told, stretch.reached

    def _parts(self, told: Sequence[Told]) -> list[bytes]:
        wanted = told if self._takes_all else [each for each in told if self._wanted.filter.fits(each.change.view)]
        return [each.whole if self._wanted.whole else each.masked for each in wanted]

    def _message(self, parts: list[bytes], position: Position) -> tuple[bytes, str]:
        cursor = StreamCursor(self._wanted.begin.epoch, position.txid, position.number).text()
        rest = pb.StreamPaymentsResponse(cursor=cursor, live=True).SerializeToString()
        self._told += len(parts)
        return b"".join([*parts, rest]), cursor


def _at(cursor: StreamCursor, place: Place) -> StreamCursor:
    return msgspec.structs.replace(cursor, created_at=place.created_at, id=place.id)
