"""The outbox: what is to go out on Kafka, written in the transaction that made it true."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from payments.envelope import trace_parent
from payments.failures import PublishRefused
from payments.ledger.database import Database
from payments.ledger.dead_letters import outgoing
from payments.ledger.lanes import ALL_LANES


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message that is to go out. `dead_letter_id` is the dead letter that it is a replay of."""

    letter_id: int
    topic: str
    key: str
    payload: bytes
    headers: list[tuple[str, bytes]] = msgspec.field(default_factory=list)
    dead_letter_id: int | None = None

    @property
    def correlation_id(self) -> str | None:
        """Under which name what it tells of is told; None where its headers do not say so."""
        return self._header("ce_correlationid")

    @property
    def trace_parent(self) -> str | None:
        """What its sending hangs on in its trace."""
        return trace_parent(self._header("traceparent"))

    def _header(self, name: str) -> str | None:
        return next((value.decode("utf-8", "replace") for each, value in self.headers if each == name), None)


class Outbox:
    """What waits to be sent, oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, limit: int, lanes: Iterable[int] = ALL_LANES, resting: Iterable[str] = ()) -> list[Letter]:
        """Return the oldest letters of these lanes, at most `limit`, without those for topics that rest."""
        told = {"limit": limit, "lanes": list(lanes), "resting": list(resting)}
        return [_letter(row) for row in self._database.rows(_WAITING, told)]

    def sent(self, letters: Sequence[Letter]) -> None:
        """Forget letters that the broker has confirmed, and resolve the dead letters that they were replays of."""
        told = {"ids": [letter.letter_id for letter in letters]}
        replayed = [letter.dead_letter_id for letter in letters if letter.dead_letter_id is not None]
        if not replayed:
            self._database.run(_SENT, told)
            return
        with self._database.transaction() as connection:
            connection.execute(_SENT, told)
            outgoing.resolve(connection, replayed)

    def refused(self, letter: Letter, refusal: PublishRefused) -> int | None:
        """Move a letter that the brokers will never take to the dead letters, in one transaction; return which it is.

        What tells of a dead letter is only set aside, and None is returned: its own dead letter would be told of on the
        same topic, and be refused again.
        """
        if letter.topic.endswith(".dlq"):
            self._database.run(_SET_ASIDE, {"id": letter.letter_id, "reason": refusal.message})
            return None
        with self._database.transaction() as connection:
            return outgoing.bury(connection, letter.letter_id, refusal, letter.correlation_id, letter.trace_parent)


def _letter(row: Sequence[Any]) -> Letter:
    letter_id, topic, key, payload, headers, dead_letter_id = row
    return Letter(
        letter_id=letter_id,
        topic=topic,
        key=key,
        payload=payload.encode(),
        headers=_HEADERS.decode(headers),
        dead_letter_id=dead_letter_id,
    )


_HEADERS = msgspec.json.Decoder(list[tuple[str, bytes]])  # which reads base64 as bytes

# A walk over the topics' names, then one short look at the end of each lane of each topic: a topic that rests with a
# million letters costs nothing, and no more is read than may be sent.
_WAITING = """
WITH RECURSIVE topics AS (
    SELECT min(topic) AS topic
      FROM outbox
     WHERE refused IS NULL
     UNION ALL
    SELECT (SELECT min(outbox.topic)
              FROM outbox
             WHERE refused IS NULL
               AND outbox.topic > topics.topic)
      FROM topics
     WHERE topics.topic IS NOT NULL
)
SELECT id, topic, key, payload::TEXT, headers::TEXT, dead_letter_id
  FROM (SELECT letter.*
          FROM topics
         CROSS JOIN unnest(%(lanes)s::SMALLINT[]) AS held (lane)
         CROSS JOIN LATERAL (
               SELECT *
                 FROM outbox
                WHERE outbox.topic = topics.topic
                  AND outbox.lane = held.lane
                  AND refused IS NULL
                ORDER BY id
                LIMIT %(limit)s) AS letter
         WHERE topics.topic <> ALL (%(resting)s::TEXT[])
         ORDER BY letter.id
         LIMIT %(limit)s) AS oldest
 ORDER BY id
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
