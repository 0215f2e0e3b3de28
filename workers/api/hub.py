"""All streams of this process: what is new for them, how many there may be, and which of them read too slowly."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from payments.ledger.feed import Position
from payments.log_events import Tell
from workers.api.refusals import Refusal, exhausted, unavailable
from workers.api.ring import Ring, Told

_LOOK_SECONDS = 0.5
_LATER_SECONDS = 1.0


class StreamPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of streams. `stall_seconds` is the longest that a client may leave a message unread.

    `most_per_client` keeps one client from taking them from all others; None: it may have all.
    """

    max_streams: int
    most_per_client: int | None = None
    buffer_events: int
    heartbeat_seconds: float
    stall_seconds: float = 60.0


class Stream:
    """What the hub knows of one stream: where it stands, and since when it waits for its client to read."""

    def __init__(self, position: Position, client: str) -> None:
        self.position = position
        self.client = client
        self.cursor = ""
        """With what it goes on after all that was given to its client's connection."""
        self.is_live = False
        self.writing_since: float | None = None
        self.cut_off: Refusal | None = None
        self.task = asyncio.current_task()

    def cut(self, refusal: Refusal) -> None:
        """End it with `refusal`, also where it waits for its client."""
        if self.cut_off is None:
            self.cut_off = refusal
            assert self.task is not None
            self.task.cancel()


class Hub:
    """Wakes the streams, and ends those that must end. Lives in the event loop."""

    def __init__(self, policy: StreamPolicy, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self.told = 0
        """Events that were written to streams since that was last told to the log."""
        self._tell = tell
        self.ring = Ring(Position(0), policy.buffer_events)
        self._clock = clock
        self._streams: set[Stream] = set()
        self._news = asyncio.Event()
        self._closing = False

    def begin(self, position: Position) -> None:
        """Begin to keep what comes after `position`."""
        self.ring = Ring(position, self.policy.buffer_events)

    def take(self, told: Sequence[Told], since: Position, reached: Position) -> None:
        """Take all that is new after `since`, up to `reached`, and wake those that wait for it.

        Streams that stand before `since` where that is later than what was taken last have a gap, and are cut off.
        """
        if since > self.ring.end:
            self.begin(since)
        self.ring.add(told, reached)
        if told:
            self._news.set()
            self._news = asyncio.Event()

    def now(self) -> float:
        """Return the time, in seconds of any clock that does not go back."""
        return self._clock()

    def count(self) -> int:
        """Return how many streams there are. May be asked from any thread."""
        return len(self._streams)

    @contextmanager
    def joined(self, position: Position, client: str) -> Iterator[Stream]:
        """Be one of the streams until the block ends. Raises Refusal where there are enough, or the server ends."""
        if self._closing:
            raise _going_down()
        self._check_room(client)
        stream = Stream(position, client)
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)

    def _check_room(self, client: str) -> None:
        most = self.policy.max_streams
        if len(self._streams) >= most:
            raise exhausted("too_many_streams", "this server has as many streams as it may have", _LATER_SECONDS)
        if sum(stream.client == client for stream in self._streams) >= (self.policy.most_per_client or most):
            told = "this client has as many streams here as one may have"
            raise exhausted("too_many_streams_of_yours", told, _LATER_SECONDS)

    async def news(self, seconds: float) -> bool:
        """Wait until there is something new; False: not within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def watch(self) -> None:
        """Cut off what reads too slowly, and tell how many read, for as long as the server runs."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)  # how soon that is found
            for stream in list(self._streams):
                if stream.writing_since is not None:
                    self._look_at(stream, self.now() - stream.writing_since)
            self._tell("streams_told", events=self.told, streams=self.count())
            self.told = 0

    def close(self) -> None:
        """End all streams; their clients come back elsewhere, or later."""
        self._closing = True
        for stream in list(self._streams):
            stream.cut(_going_down(cursor=stream.cursor))

    def _look_at(self, stream: Stream, waiting_seconds: float) -> None:
        fell_out = stream.is_live and not self.ring.holds(stream.position)
        if fell_out or waiting_seconds > self.policy.stall_seconds:
            stream.cut(too_slow(stream.cursor))


def too_slow(cursor: str) -> Refusal:
    """Return that a client reads more slowly than it is told, and how it goes on."""
    return exhausted("too_slow", "the client reads too slowly; go on with the cursor", _LATER_SECONDS, cursor=cursor)


def _going_down(cursor: str = "") -> Refusal:
    return unavailable("going_down", "this server is ending; come back, or ask another", 0.0, cursor=cursor)
