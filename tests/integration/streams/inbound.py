"""What has come in, as the ledger tells it."""

from typing import Any

import psycopg


class Inbound:
    """The inbox and the dead letters of one database."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def events(self) -> list[str]:
        """Return the event ids of the inbox, in the order of their arrival."""
        return [str(row[0]) for row in self._rows("SELECT event_id FROM inbox ORDER BY id")]

    def kinds(self) -> list[tuple[str, str]]:
        """Return ordering key and kind of each event, in the order of their arrival."""
        return [(str(row[0]), str(row[1])) for row in self._rows("SELECT ordering_key, kind FROM inbox ORDER BY id")]

    def buried(self) -> list[bytes]:
        """Return the bytes of the dead letters, in the order of their arrival."""
        return [bytes(row[0]) for row in self._rows("SELECT payload FROM dead_letters ORDER BY id")]

    def count(self) -> int:
        """Return how many records are stored, alive or dead."""
        counted = self._rows("SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM dead_letters)")
        return int(counted[0][0])

    def places(self) -> dict[int, set[int]]:
        """Return the offsets that are stored, by partition."""
        stored: dict[int, set[int]] = {}
        for partition, offset in self._rows(
            'SELECT partition, "offset" FROM inbox UNION SELECT partition, "offset" FROM dead_letters'
        ):
            stored.setdefault(partition, set()).add(offset)
        return stored

    def finish(self, how_many: int) -> None:
        """Let so many events end, as workers would."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "UPDATE inbox SET state = 'settled', finished_at = now() WHERE id IN "
                "(SELECT id FROM inbox WHERE state = 'received' ORDER BY id LIMIT %s)",
                (how_many,),
            )

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()
