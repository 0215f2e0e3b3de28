"""The switch of replay by beat, and which closings of breakers were followed."""

from datetime import datetime

import msgspec

from payments.ledger.database import Connection, Database
from payments.ledger.dead_letters.actor import Actor


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether replay by beat is paused, since when, by whom, and why."""

    is_paused: bool
    who: str
    why: str | None
    at: datetime


class ReplaySwitch:
    """Pausing what goes by itself. Jobs go on, and are paused one by one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> Switch | None:
        """Return how it stands; None where nobody ever touched it, and replay goes on."""
        row = self._database.row(_STATE)
        return Switch(is_paused=row[0], who=row[1], why=row[2], at=row[3]) if row else None

    @property
    def is_paused(self) -> bool:
        """Whether replay by beat is paused."""
        state = self.state()
        return state is not None and state.is_paused

    def turn(self, actor: Actor, *, is_paused: bool) -> bool:
        """Pause, or go on. False: it stood so already."""
        told = {"who": actor.who, "why": actor.why, "is_paused": is_paused}
        return bool(self._database.run(_TURN, told))

    def last_run(self) -> datetime | None:
        """Return when beat last replayed what was due."""
        row = self._database.row(_LAST_RUN)
        return row[0] if row else None


def follow_closing(connection: Connection, name: str, generation: int) -> bool:
    """Return whether this closing of the breaker `name` is new, and ours to follow: True once for each."""
    told = {"name": name, "generation": generation}
    return bool(connection.execute(_FOLLOW, told).rowcount)


def release_waiting(connection: Connection, provider: str, per_second: float) -> int:
    """Let what has waited for the provider's breaker come back now, so many a second in its order; return how many."""
    slot_seconds = 1 / per_second if per_second else 0.0
    return connection.execute(_RELEASE, {"provider": provider, "slot_seconds": slot_seconds}).rowcount


_STATE = "SELECT is_paused, who, why, at FROM replay_switch"

_TURN = """
WITH turned AS (
    INSERT INTO replay_switch AS switch (is_paused, who, why)
    SELECT %(is_paused)s, %(who)s, %(why)s
     WHERE %(is_paused)s OR EXISTS (SELECT FROM replay_switch)
        ON CONFLICT ((TRUE)) DO UPDATE
       SET is_paused = excluded.is_paused,
           who = excluded.who,
           why = excluded.why,
           at = now()
     WHERE switch.is_paused IS DISTINCT FROM excluded.is_paused
    RETURNING is_paused
)
INSERT INTO dead_letter_audit (who, what, why, before, after)
SELECT %(who)s, CASE WHEN is_paused THEN 'pause' ELSE 'resume' END, %(why)s,
       jsonb_build_object('is_paused', NOT is_paused), jsonb_build_object('is_paused', is_paused)
  FROM turned
"""

_LAST_RUN = """
SELECT taken_at
  FROM beat_slots
 WHERE name = 'replay'
"""

_FOLLOW = """
INSERT INTO breaker_closings AS closing (name, generation)
VALUES (%(name)s, %(generation)s)
    ON CONFLICT (name) DO UPDATE
   SET generation = excluded.generation
 WHERE closing.generation < excluded.generation
"""

# What is waited less than was planned does not count as waited.
_RELEASE = """
WITH waiting AS (
    SELECT id,
           now() + make_interval(secs => %(slot_seconds)s * (row_number() OVER (ORDER BY id) - 1)) AS sooner_at
      FROM inbox
     WHERE provider = %(provider)s
       AND state = 'waiting'
       AND waiting_for = 'circuit_open'
       AND due_at > now()
)
UPDATE inbox
   SET due_at = sooner_at,
       waited = greatest('0'::INTERVAL, waited - (due_at - sooner_at))
  FROM waiting
 WHERE inbox.id = waiting.id
   AND inbox.state = 'waiting'
   AND inbox.due_at > sooner_at
"""
