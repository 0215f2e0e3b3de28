"""Why no bridge of a group takes records from a topic: one row for them all, so that they stop and go on together."""

from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.database import Database

PROBE = "probe"
"""Signs a pause that was ended because the records of a probe were well; a person signs as user@host."""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """One pause, open or ended. `bad` of the `looked_at` records before it were no payment events."""

    topic: str
    group_id: str
    reason: str
    bad: int
    looked_at: int
    paused_by: str
    paused_at: datetime
    resumed_by: str | None = None
    resumed_at: datetime | None = None
    well_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether nobody has said go on."""
        return self.resumed_at is None

    @property
    def is_overruled(self) -> bool:
        """Whether a person has said go on, and the records have not been well since: then that word holds."""
        return self.resumed_by not in {None, PROBE} and self.well_at is None

    @property
    def share(self) -> float:
        """The share of bad records."""
        return self.bad / self.looked_at if self.looked_at else 0.0

    def told(self) -> dict[str, Any]:
        """Return what people and machines are told of a pause that is open."""
        names = ("topic", "group_id", "reason", "bad", "looked_at", "paused_by", "paused_at")
        return {name: getattr(self, name) for name in names} | {"share": round(self.share, 4)}


class BridgePauses:
    """The pause of the bridges of one group that read one topic. All times are the database's."""

    def __init__(self, database: Database, topic: str, group_id: str) -> None:
        self._database = database
        self.topic = topic
        self.group_id = group_id

    def latest(self) -> Pause | None:
        """Return the pause that is open, otherwise the last one that was; None if there never was one."""
        row = self._database.row(_LATEST, self._place)
        return msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), Pause) if row else None

    def current(self) -> Pause | None:
        """Return the pause that is open, or None."""
        latest = self.latest()
        return latest if latest is not None and latest.is_open else None

    def pause(self, reason: str, *, bad: int, looked_at: int, by: str, knows: datetime | None = None) -> bool:
        """Open a pause; return False where one is open, or where one was ended that the caller does not know of.

        `knows` is when the last pause ended, as far as the caller knows: a bridge that has not yet heard that a person
        said go on must not undo it.
        """
        told = {"reason": reason, "bad": bad, "looked_at": looked_at, "by": by, "knows": knows}
        return bool(self._database.run(_PAUSE, self._place | told))

    def resume(self, pause: Pause, by: str, why: str | None = None) -> bool:
        """End this very pause; return False where it has ended already."""
        told = {"by": by, "why": why, "paused_at": pause.paused_at}
        return bool(self._database.run(_RESUME, self._place | told))

    def claim_probe(self, pause: Pause, every_seconds: float) -> bool:
        """Return whether the caller may probe now: one does in `every_seconds`, the first that long after the pause."""
        told = {"paused_at": pause.paused_at, "every_seconds": every_seconds}
        return bool(self._database.run(_CLAIM_PROBE, self._place | told))

    def mark_well(self, pause: Pause) -> bool:
        """Note that the records have been well since this pause was ended; return False where that is known."""
        return bool(self._database.run(_MARK_WELL, self._place | {"resumed_at": pause.resumed_at}))

    @property
    def _place(self) -> dict[str, Any]:
        return {"topic": self.topic, "group_id": self.group_id}


_COLUMNS = (
    *("topic", "group_id", "reason", "bad", "looked_at", "paused_by", "paused_at"),
    *("resumed_by", "resumed_at", "well_at"),
)

_LATEST = """
SELECT topic, group_id, reason, bad, looked_at, paused_by, paused_at, resumed_by, resumed_at, well_at
  FROM bridge_pauses
 WHERE topic = %(topic)s
   AND group_id = %(group_id)s
"""

_PAUSE = """
INSERT INTO bridge_pauses AS pause (topic, group_id, reason, bad, looked_at, paused_by)
VALUES (%(topic)s, %(group_id)s, %(reason)s, %(bad)s, %(looked_at)s, %(by)s)
    ON CONFLICT (topic, group_id) DO UPDATE
   SET reason = EXCLUDED.reason,
       bad = EXCLUDED.bad,
       looked_at = EXCLUDED.looked_at,
       paused_by = EXCLUDED.paused_by,
       paused_at = now(),
       probed_at = now(),
       resumed_by = NULL,
       resumed_why = NULL,
       resumed_at = NULL,
       well_at = NULL
 WHERE pause.resumed_at = %(knows)s::TIMESTAMPTZ
"""

_RESUME = """
UPDATE bridge_pauses
   SET resumed_by = %(by)s,
       resumed_why = %(why)s,
       resumed_at = now()
 WHERE topic = %(topic)s
   AND group_id = %(group_id)s
   AND paused_at = %(paused_at)s
   AND resumed_at IS NULL
"""

_CLAIM_PROBE = """
UPDATE bridge_pauses
   SET probed_at = now()
 WHERE topic = %(topic)s
   AND group_id = %(group_id)s
   AND paused_at = %(paused_at)s
   AND resumed_at IS NULL
   AND probed_at <= now() - make_interval(secs => %(every_seconds)s)
"""

_MARK_WELL = """
UPDATE bridge_pauses
   SET well_at = now()
 WHERE topic = %(topic)s
   AND group_id = %(group_id)s
   AND resumed_at = %(resumed_at)s
   AND well_at IS NULL
"""
