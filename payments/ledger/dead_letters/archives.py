"""Archives: dead letters that have ended, compressed, with a checksum and an index, and then gone from the tables."""

import gzip
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the index. `file` is a name in the archive folder; None: its content is in the database."""

    id: int
    file: str | None
    sha256: str
    bytes: int
    letters: int
    first_id: int
    last_id: int
    oldest: datetime
    newest: datetime
    created_at: datetime


Keep = Callable[[str, bytes], None]
"""Makes a file of that name and content durable before it returns."""


class Archives:
    """Putting ended letters away. Those that wait for somebody are never touched."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_away(
        self, choice: Choice, older_than_seconds: float, actor: Actor, limit: int, keep: Keep | None
    ) -> Archive | None:
        """Archive and purge up to `limit` of the ended letters that `choice` means, or return None where there is none.

        They are fewer where they are large: what one archive holds has to pass through memory.
        One transaction: a letter is in the tables until its archive is durable. Without `keep`, the database keeps it.
        """
        condition, parameters = choice.condition()
        parameters |= {"ended_seconds": older_than_seconds, "limit": limit, "most_bytes": _MOST_BYTES}
        with self._database.transaction() as connection:
            rows = connection.execute(_ENDED.format(condition=condition), parameters).fetchall()
            if not rows:
                return None
            entry = _entry(rows, keep)
            ids = [row[0] for row in rows]
            connection.execute(_PURGE, {"ids": ids, "who": actor.who, "why": actor.why})
            return _archive(connection.execute(_ENTER, entry).fetchone() or ())

    def count(self, choice: Choice, older_than_seconds: float) -> int:
        """Return how many letters `put_away` would take, were there no limit."""
        condition, parameters = choice.condition()
        row = self._database.row(_COUNT.format(condition=condition), parameters | {"ended_seconds": older_than_seconds})
        assert row is not None
        return int(row[0])

    def index(self) -> list[Archive]:
        """Return every archive, the newest first."""
        return [_archive(row) for row in self._database.rows(_INDEX)]

    def content(self, archive_id: int) -> bytes | None:
        """Return the content of an archive that is kept in the database."""
        row = self._database.row(_CONTENT, {"id": archive_id})
        return bytes(row[0]) if row and row[0] is not None else None


def _entry(rows: Sequence[Sequence[Any]], keep: Keep | None) -> dict[str, Any]:
    """Return the index entry of these letters, once their content is kept."""
    content = gzip.compress("".join(f"{row[2]}\n" for row in rows).encode(), mtime=0)
    digest = hashlib.sha256(content).hexdigest()
    entry = {
        "file": f"dead-letters-{rows[0][0]}-{rows[-1][0]}-{digest[:8]}.jsonl.gz" if keep else None,
        "content": None if keep else content,
        "sha256": digest,
        "bytes": len(content),
        "letters": len(rows),
        "first_id": rows[0][0],
        "last_id": rows[-1][0],
        "oldest": min(row[1] for row in rows),
        "newest": max(row[1] for row in rows),
    }
    if keep:
        keep(str(entry["file"]), content)
    return entry


_MOST_BYTES = 8_388_608
"""Of payloads in one archive; a single letter may be more."""


def _archive(row: Sequence[Any]) -> Archive:
    return Archive(**dict(zip(Archive.__struct_fields__, row, strict=True)))


_MEANT = """
  FROM dead_letters AS letter
 WHERE {condition}
   AND letter.state IN ('resolved', 'discarded')
   AND letter.ended_at <= now() - make_interval(secs => %(ended_seconds)s)
"""

# The whole payload, however large, and who did what: the archive is all that will be left.
_ENDED = f"""
WITH ended AS MATERIALIZED (
    SELECT letter.id, length(letter.payload) AS bytes
    {_MEANT}
     ORDER BY letter.id
     LIMIT %(limit)s
       FOR UPDATE OF letter SKIP LOCKED
), bearable AS (
    SELECT id
      FROM (SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS bytes_before FROM ended) AS summed
     WHERE bytes_before < %(most_bytes)s
)
SELECT letter.id, letter.ended_at,
       (dead_letter_json(letter) || jsonb_build_object(
           'payload', base64(letter.payload),
           'audit', (SELECT coalesce(jsonb_agg(to_jsonb(entry) - 'letter_id' ORDER BY entry.id), '[]')
                       FROM dead_letter_audit AS entry
                      WHERE entry.letter_id = letter.id)))::TEXT
  FROM bearable
  JOIN dead_letters AS letter USING (id)
 ORDER BY letter.id
"""  # noqa: S608 - put together from constants

_COUNT = f"""
SELECT count(*)
{_MEANT}
"""

# What stays: that it is gone, in the audit, and where a record stood that never was an event, for the reconciliation.
_PURGE = """
WITH forgotten AS (
    DELETE FROM dead_letter_audit
     WHERE letter_id = ANY (%(ids)s::BIGINT[])
), gone AS (
    DELETE FROM dead_letters
     WHERE id = ANY (%(ids)s::BIGINT[])
    RETURNING id, state, origin, inbox_id, topic, partition, "offset"
), told AS (
    INSERT INTO purged_records (topic, partition, "offset", inbox_id)
    SELECT topic, partition, "offset", inbox_id
      FROM gone
     WHERE origin = 'intake'
        ON CONFLICT (topic, partition, "offset") DO NOTHING
)
INSERT INTO dead_letter_audit (letter_id, who, what, why, before)
SELECT id, %(who)s, 'purge', %(why)s, jsonb_build_object('state', state)
  FROM gone
"""

_COLUMNS = ", ".join(Archive.__struct_fields__)

_ENTER = f"""
INSERT INTO dead_letter_archives (file, content, sha256, bytes, letters, first_id, last_id, oldest, newest)
VALUES (%(file)s, %(content)s, %(sha256)s, %(bytes)s, %(letters)s, %(first_id)s, %(last_id)s, %(oldest)s, %(newest)s)
RETURNING {_COLUMNS}
"""  # noqa: S608 - likewise

_INDEX = f"""
SELECT {_COLUMNS}
  FROM dead_letter_archives
 ORDER BY id DESC
"""  # noqa: S608 - the columns are a constant of ours

_CONTENT = """
SELECT content
  FROM dead_letter_archives
 WHERE id = %(id)s
"""
