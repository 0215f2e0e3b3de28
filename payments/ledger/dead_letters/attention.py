"""Whether anybody, or anything, attends to the dead letters."""

import msgspec

from payments.ledger.database import Database


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """How long nothing has been done. All ages are by PostgreSQL's clock, in seconds."""

    parked_unseen_seconds: float
    """Since the parked letter that was touched longest ago was buried, failed again, or changed; 0 if none is."""
    last_processed_seconds: float | None
    """Since one was last sent back or ended; where none ever was, since the first was buried; None: there is none."""
    replays_lately: dict[str, int]
    """Replays that ended within the last hour: `succeeded` and `failed`."""


class DeadLetterAttention:
    """Asking for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Attention:
        """Return how it stands. Raises DatabaseAway."""
        row = self._database.row(_ATTENTION)
        assert row is not None
        unseen_seconds, processed_seconds, succeeded, failed = row
        return Attention(
            parked_unseen_seconds=round(unseen_seconds, 3),
            last_processed_seconds=None if processed_seconds is None else round(processed_seconds, 3),
            replays_lately={"succeeded": succeeded, "failed": failed},
        )


# The table is read once. The lines of a letter's replays stand aside, so only those that failed lately are opened.
_ATTENTION = """
WITH letter AS (
    SELECT id, state, created_at, last_failed_at, ended_at,
           CASE WHEN replay_count > 0 THEN (replays -> -1 ->> 'at')::TIMESTAMPTZ END AS replayed_at,
           replay_count > 0 AND ended_at > now() - '1 hour'::INTERVAL
               AND state = 'resolved' AND resolution <> 'replaced' AS is_lately_mended,
           CASE WHEN replay_count > 0 AND last_failed_at > now() - '1 hour'::INTERVAL THEN replays END AS lines
      FROM dead_letters
)
SELECT coalesce((SELECT extract(epoch FROM now() - min(greatest(
                            created_at, last_failed_at,
                            (SELECT max(at) FROM dead_letter_audit WHERE letter_id = letter.id))))
                   FROM letter
                  WHERE state = 'parked'), 0)::FLOAT8,
       (SELECT extract(epoch FROM now() - coalesce(max(greatest(ended_at, replayed_at)), min(created_at)))::FLOAT8
          FROM letter),
       (SELECT count(*) FROM letter WHERE is_lately_mended),
       (SELECT count(*)
          FROM letter
         CROSS JOIN jsonb_array_elements(lines) AS line
         WHERE line ->> 'mark' = 'failed'
           AND (line ->> 'at')::TIMESTAMPTZ > now() - '1 hour'::INTERVAL)
"""
