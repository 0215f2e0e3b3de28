"""The outbox: what is to go out on Kafka, written in the transaction that made it true."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from payments.ledger.database import Database


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is to go out."""

    letter_id: int
    topic: str
    key: str
    payload: bytes
    headers: list[tuple[str, bytes]] = msgspec.field(default_factory=list)


class Outbox:
    """What waits to be sent, oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def turn(self) -> Iterator[Callable[[], bool]]:
        """Hold the one right to send, so that the order of each key is kept.

        Gives a question to ask before each batch: whether the right is ours, still. It is False where another relay
        holds it, and raises DatabaseAway once the connection that holds it is gone, and the right with it.
        """
        with self._database.connection(shielded=False) as connection:
            taken = connection.execute("SELECT pg_try_advisory_lock(%s)", (_RELAY_LOCK,)).fetchone()
            mine = bool(taken and taken[0])
            connection.execute("SET idle_session_timeout = '60s'")  # a relay that is frozen loses the right
            try:
                yield lambda: mine and bool(connection.execute("SELECT 1").fetchone())
            finally:
                if not connection.broken:
                    connection.execute("RESET idle_session_timeout")
                    if mine:
                        connection.execute("SELECT pg_advisory_unlock(%s)", (_RELAY_LOCK,))

    def waiting(self, limit: int) -> list[Letter]:
        """Return the oldest letters that can be sent, at most `limit`."""
        return [
            Letter(letter_id=row[0], topic=row[1], key=row[2], payload=row[3].encode(), headers=_HEADERS.decode(row[4]))
            for row in self._database.rows(_WAITING, {"limit": limit})
        ]

    def sent(self, letters: Sequence[Letter]) -> None:
        """Forget letters that the broker has confirmed."""
        self._database.run(_SENT, {"ids": [letter.letter_id for letter in letters]})

    def set_aside(self, letter: Letter, reason: str) -> None:
        """Keep a letter that the brokers will never take, out of the way of the others."""
        self._database.run(_SET_ASIDE, {"id": letter.letter_id, "reason": reason})


_HEADERS = msgspec.json.Decoder(list[tuple[str, bytes]])  # which reads base64 as bytes

_RELAY_LOCK = 7_217_309_312  # any number, the same for all relays

_WAITING = """
SELECT id, topic, key, payload::TEXT, headers::TEXT
  FROM outbox
 WHERE refused IS NULL
 ORDER BY id
 LIMIT %(limit)s
"""

_SENT = """
DELETE FROM outbox
 WHERE id = ANY (%(ids)s::BIGINT[])
"""

_SET_ASIDE = """
UPDATE outbox
   SET refused = %(reason)s
 WHERE id = %(id)s
"""
