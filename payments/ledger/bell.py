"""A bell: hears that something new is there, as soon as it is committed (LISTEN and NOTIFY in PostgreSQL's manual)."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import psycopg
from psycopg import sql

from payments.ledger.database import Connection, DatabasePolicy, connection_options

NEWS = "payferry_news"
"""The channel that rings when there is something new in the outbox, or in the feed: migration 0005."""


class Ringer(Protocol):
    """What says that there is something new."""

    def wait(self, seconds: float) -> bool: ...  # noqa: D102 - True: it rang


class Attention:
    """When a loop that reads what is new looks again.

    What was written beside what rang has no bell of its own, and what stands behind a slower transaction cannot be read
    yet. So for a while after there was something, or the bell, it looks in short steps. Otherwise it waits for the
    bell, `timer_seconds` at most.
    """

    def __init__(
        self,
        bell: Ringer,
        stopping: threading.Event,
        timer_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bell = bell
        self._stopping = stopping
        self._timer_seconds = timer_seconds
        self._clock = clock
        self._until = float("-inf")

    def rouse(self) -> None:
        """Note that there was something."""
        self._until = self._clock() + _ATTENTIVE_SECONDS

    def wait(self) -> None:
        """Wait until it is worth to look."""
        if self._clock() < self._until:
            self._stopping.wait(_STEP_SECONDS)
        elif self._bell.wait(self._timer_seconds):
            self.rouse()


_ATTENTIVE_SECONDS = 0.25
_STEP_SECONDS = 0.02


class Bell:
    """One listener on one channel, on a connection of its own, which it makes anew when it was lost.

    It may ring for nothing, and may fail to ring, as behind a pooler that does not pass LISTEN on: whoever waits looks
    from time to time by itself. One thread at a time may wait.
    """

    def __init__(self, url: str, policy: DatabasePolicy, channel: str) -> None:
        self._url = url
        self._policy = policy
        self._channel = channel
        self._connection: Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Return True as soon as it rings, and False after at most about `seconds`. Never raises for a lost connection.

        After a new connection it is True: what rang before was not heard.
        """
        until = time.monotonic() + seconds
        for _ in range(2):  # a connection that was lost is made anew at once
            try:
                return self._listen() or self._heard(max(0.0, until - time.monotonic()))
            except psycopg.Error:
                self.close()
        time.sleep(max(0.0, until - time.monotonic()))  # a database that is away is not asked all the time
        return False

    def close(self) -> None:
        """Close the connection. The next `wait` makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listen(self) -> bool:
        """Listen, where we do not yet; return whether that is new."""
        if self._connection is not None:
            return False
        self._connection = psycopg.connect(self._url, **connection_options(self._policy))
        self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return True

    def _heard(self, seconds: float) -> bool:
        assert self._connection is not None
        return bool(list(self._connection.notifies(timeout=seconds, stop_after=1)))
