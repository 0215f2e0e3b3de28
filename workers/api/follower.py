"""Reading the feed for all streams of this process at once, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from payments.failures import Failure
from payments.ledger.bell import Attention, Ringer
from payments.ledger.feed import Feed, Position, Purged, Stretch
from payments.log_events import Tell
from workers.api.ring import Told

_BATCH = 1000
_AFTER_FAILURE_SECONDS = 1.0
_LEAST_PACE_SECONDS = 0.01
_PACE_PER_STREAM_SECONDS = 0.00025

Take = Callable[[Sequence[Told], Position, Position], None]
"""Takes changes, all that there are after the first position up to the second one."""


class Follower:
    """Hands what is new to `take`, in the event loop; the next only once that is taken."""

    def __init__(self, feed: Feed, bell: Ringer, tell: Tell, streams: Callable[[], int]) -> None:
        self._feed = feed
        self._tell = tell
        self._streams = streams
        self._stopping = threading.Event()
        self._attention = Attention(bell, self._stopping)
        self.is_cut_off = False
        """Whether the ledger could not be asked the last time."""

    def start(self, epoch: str, begin: Position, take: Take, ended: Callable[[], None]) -> None:
        """Read on from `begin`. `ended` is called where it ends without being told to. Called in the event loop."""
        loop = asyncio.get_running_loop()
        self._position = begin

        def hand_over(stretch: Stretch) -> None:
            told = [Told(change, epoch) for change in stretch.changes]
            since = self._position
            _in_loop(loop, lambda: take(told, since, stretch.reached))

        def run() -> None:
            try:
                self._run(hand_over)
            finally:
                if not self._stopping.is_set():
                    _in_loop(loop, ended)

        threading.Thread(target=run, name="feed", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()

    def _run(self, hand_over: Callable[[Stretch], None]) -> None:
        while not self._stopping.is_set():
            stretch = self._read()
            if stretch is None:
                self._stopping.wait(_AFTER_FAILURE_SECONDS)
                continue
            hand_over(stretch)
            self._position = stretch.reached
            if stretch.changes:
                self._attention.rouse()
                self._stopping.wait(self._pace_seconds(len(stretch.changes)))
            else:
                self._attention.wait()

    def _read(self) -> Stretch | None:
        """Return what comes next, or None while the ledger cannot be asked."""
        try:
            stretch = self._feed.after(self._position, _BATCH)
            self.is_cut_off = False
            return self._after_a_gap() if isinstance(stretch, Purged) else stretch
        except Failure as failure:
            self._tell("feed_unread", code=failure.code)
        except Exception as error:  # noqa: BLE001 - without this thread all streams would be silent for good
            self._tell("feed_unread", code=type(error).__name__)
        self.is_cut_off = True
        return None

    def _after_a_gap(self) -> Stretch:
        """Go on at the end: what stood here was purged, since this process was held for days."""
        self._position = self._feed.end()
        return Stretch((), self._position)

    def _pace_seconds(self, changes: int) -> float:
        """Return how long to wait before the next batch: each costs a message for every stream."""
        if changes == _BATCH:
            return 0.0
        return max(_LEAST_PACE_SECONDS, self._streams() * _PACE_PER_STREAM_SECONDS)


def _in_loop(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Do it in the event loop and wait until it is done, so that a busy loop is not given more than it takes."""
    done = threading.Event()

    def do() -> None:
        what()
        done.set()

    try:
        loop.call_soon_threadsafe(do)
    except RuntimeError:  # the loop is closed: the process ends
        return
    done.wait(_LONGEST_HANDOVER_SECONDS)


_LONGEST_HANDOVER_SECONDS = 30.0
