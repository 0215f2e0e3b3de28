"""Forgetting changes that no stream is taken up from any more."""

import time
from collections.abc import Callable

import msgspec

from payments.ledger.feed import Feed
from payments.ledger.sweeps import Sweeps
from payments.log_events import Tell

GAP_SECONDS = 60.0
"""How often it is done: as often as keeps each time short."""

_SLOT = "feed"
_AT_ONCE = 5000


class FeedDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What forgetting has at hand. `seconds`: how long one time may take."""

    feed: Feed
    sweeps: Sweeps
    retention_seconds: float
    tell: Tell
    seconds: float = 4.0
    clock: Callable[[], float] = time.monotonic


def forget_old_changes(desk: FeedDesk) -> int:
    """Forget the changes that are older than they are kept, and return how many; 0 where another has this tick.

    What does not fit into the time is left to the next tick. Raises DatabaseAway.
    """
    if not desk.sweeps.take_slot(_SLOT, GAP_SECONDS * 0.8):  # beats are not exact
        return 0
    until, forgotten, last = desk.clock() + desk.seconds, 0, _AT_ONCE
    while last == _AT_ONCE and desk.clock() < until:
        last = desk.feed.purge(desk.retention_seconds, _AT_ONCE)
        forgotten += last
    if forgotten:
        desk.tell("feed_purged", changes=forgotten)
    return forgotten
