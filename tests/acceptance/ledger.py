"""The ledger as a test looks at it, with SQL of its own."""

from datetime import datetime
from typing import Any

import psycopg


class Ledger:
    """One database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def change(self, statement: str) -> int:
        """Change something by hand and return how many rows it were."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).rowcount

    def taken_in(self) -> int:
        """Return how many records are stored, alive or dead."""
        return self._number(
            "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM dead_letters WHERE inbox_id IS NULL)"
        )

    def ended(self) -> int:
        """Return how many of them have ended."""
        return self._number(
            "SELECT (SELECT count(*) FROM inbox WHERE finished_at IS NOT NULL)"
            "     + (SELECT count(*) FROM dead_letters WHERE inbox_id IS NULL)"
        )

    def now(self) -> datetime:
        """Return the database's time."""
        told: datetime = self.rows("SELECT clock_timestamp()")[0][0]
        return told

    def last_end(self) -> datetime:
        """Return when the last event ended."""
        told: datetime = self.rows("SELECT max(finished_at) FROM inbox")[0][0]
        return told

    def _number(self, statement: str) -> int:
        return int(self.rows(statement)[0][0])
