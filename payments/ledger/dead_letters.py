"""Dead letters of records that never became an event: their bytes, where they stood, and what is wrong with them."""

from collections.abc import Sequence

import msgspec

from payments.envelope import Record
from payments.failures import Permanent
from payments.ledger.database import Database, columns


class Corpse(msgspec.Struct, frozen=True, kw_only=True):
    """A record that cannot be taken in, and why."""

    record: Record
    failure: Permanent
    provider: str | None = None
    event_id: str | None = None


class DeadLetters:
    """Where such records are buried."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bury(self, corpses: Sequence[Corpse], topic: str) -> int:
        """Store each record once, however often it comes, and announce it on `topic`; return how many are new.

        The announcement holds the value unless that is over 64 KiB: brokers refuse messages of a megabyte.
        """
        rows = [
            (
                *(corpse.provider, corpse.event_id, corpse.record.topic, corpse.record.partition, corpse.record.offset),
                *(corpse.record.key, corpse.record.headers_json(), corpse.record.payload),
                *(corpse.failure.code, corpse.failure.message),
            )
            for corpse in corpses
        ]
        return self._database.run(_BURY, columns(rows, _COLUMNS) | {"news_topic": topic, "most_bytes": _MOST_BYTES})


_MOST_BYTES = 65_536
_COLUMNS = (
    *("provider", "event_id", "topic", "partition", "offset"),
    *("key", "headers", "payload"),
    *("reason", "message"),
)

_BURY = """
WITH buried AS (
    INSERT INTO dead_letters (provider, event_id, topic, partition, "offset", key, headers, payload, reason, message)
    SELECT provider, event_id, topic, partition, "offset", key, headers::JSONB, payload, reason, message
      FROM unnest(%(provider)s::TEXT[], %(event_id)s::TEXT[], %(topic)s::TEXT[], %(partition)s::INTEGER[],
                  %(offset)s::BIGINT[], %(key)b::BYTEA[], %(headers)s::TEXT[], %(payload)b::BYTEA[],
                  %(reason)s::TEXT[], %(message)s::TEXT[])
        AS corpse (provider, event_id, topic, partition, "offset", key, headers, payload, reason, message)
        ON CONFLICT (topic, partition, "offset", payload_sha256) WHERE inbox_id IS NULL DO NOTHING
    RETURNING *
)
INSERT INTO outbox (topic, key, payload)
SELECT %(news_topic)s, coalesce(event_id, topic || '/' || partition || '/' || "offset"),
       jsonb_build_object('version', 1, 'topic', topic, 'partition', partition, 'offset', "offset",
                          'reason', reason, 'message', message, 'size', length(payload),
                          'value', CASE WHEN length(payload) <= %(most_bytes)s THEN encode(payload, 'base64') END)
  FROM buried
"""
