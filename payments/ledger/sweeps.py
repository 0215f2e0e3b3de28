"""What the sweeper finds: claims whose worker is gone, and events whose wake-up call got lost."""

from payments.ledger.database import Database
from payments.ledger.inbox import Wakeup, wakeup


class Sweeps:
    """The sweeper's statements, and the slots that keep two beats from doing the same work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_slot(self, name: str, interval_seconds: float) -> bool:
        """Return whether the tick `name` is ours: it is given once in `interval_seconds`, whoever asks."""
        return bool(self._database.run(_TAKE_SLOT, {"name": name, "interval_seconds": interval_seconds}))

    def free_expired(self) -> int:
        """Give back the events whose lease has ended, due at once; return how many."""
        return self._database.run(_FREE_EXPIRED)

    def lost(self, provider: str, watermark: int | None, grace_seconds: float, limit: int) -> list[Wakeup]:
        """Return new wake-ups for due events of `provider` that no message is under way for, oldest first.

        `watermark` is the number of the oldest message still queued: an earlier number has left the queue, so if its
        event is still due `grace_seconds` later, its message is lost. None: the queue is empty. Two bridges may number
        in one order and send in the other; what is then sent a second time, once, finds nothing to do.
        """
        told = {"provider": provider, "watermark": watermark, "grace_seconds": grace_seconds, "limit": limit}
        return sorted(map(wakeup, self._database.rows(_LOST, told)), key=lambda found: found.number)

    def wake(self, inbox_id: int) -> Wakeup | None:
        """Return a new wake-up for one unfinished row, or None where it is at work or has ended."""
        row = self._database.row(_WAKE, {"id": inbox_id})
        return wakeup(row) if row else None


_TAKE_SLOT = """
INSERT INTO beat_slots AS slot (name, taken_at)
VALUES (%(name)s, now())
    ON CONFLICT (name) DO UPDATE
   SET taken_at = now()
 WHERE slot.taken_at <= now() - make_interval(secs => %(interval_seconds)s)
"""

_FREE_EXPIRED = """
UPDATE inbox
   SET state = CASE WHEN saga -> -1 ->> 'mark' IN ('started', 'compensation_started')
                    THEN 'verifying' ELSE 'retrying' END::inbox_state,
       lease_until = NULL,
       due_at = to_timestamp(0),
       woken_at = to_timestamp(0),
       failures = failures || stamped(jsonb_build_array(jsonb_build_object(
           'attempt', attempts, 'kind', 'process_crashed', 'code', 'lease_expired', 'service', 'payferry',
           'operation', 'sweep', 'message', 'the worker did not answer before its lease ended')))
 WHERE id IN (SELECT id
                FROM inbox
               WHERE state = 'processing'
                 AND lease_until < now()
                 FOR UPDATE SKIP LOCKED)
"""

_LOST = """
WITH lost AS (
    SELECT id
      FROM inbox AS mine
     WHERE provider = %(provider)s
       AND state IN ('received', 'retrying', 'waiting', 'verifying')
       AND (%(watermark)s::BIGINT IS NULL OR wakeup < %(watermark)s)
       AND greatest(due_at, woken_at) < now() - make_interval(secs => %(grace_seconds)s)
       AND NOT EXISTS (
               SELECT
                 FROM inbox AS earlier
                WHERE earlier.ordering_key = mine.ordering_key
                  AND earlier.id < mine.id
                  AND earlier.yielding_since IS NULL
                  AND earlier.state IN ('received', 'processing', 'retrying', 'waiting', 'verifying'))
     ORDER BY wakeup
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
UPDATE inbox
   SET wakeup = nextval('wakeups'),
       woken_at = now()
  FROM lost
 WHERE inbox.id = lost.id
RETURNING inbox.id, inbox.wakeup, inbox.provider, inbox.ordering_key
"""

_WAKE = """
UPDATE inbox
   SET wakeup = nextval('wakeups'),
       woken_at = now()
 WHERE id = %(id)s
   AND state IN ('received', 'retrying', 'waiting', 'verifying')
RETURNING id, wakeup, provider, ordering_key
"""
