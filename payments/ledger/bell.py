"""A bell: hears that something new is there, as soon as it is committed (LISTEN and NOTIFY in PostgreSQL's manual)."""

import time

import psycopg
from psycopg import sql

from payments.ledger.database import Connection, DatabasePolicy, connection_options

NEWS = "payferry_news"
"""The channel that rings when there is something new in the outbox, or in the feed: migration 0005."""


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
