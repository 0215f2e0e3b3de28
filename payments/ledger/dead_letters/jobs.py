"""Jobs: many dead letters sent back on one decision, by workers that may die, while somebody watches or stops it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.ledger.database import Connection, Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.replays import Selection

FINISHED = frozenset({"cancelled", "done"})


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands. `rate_per_second` None: at each provider's own velocity. `held`: a gate keeps them back."""

    id: int
    made_by: str
    why: str | None
    chosen: Choice
    rate_per_second: float | None
    state: str
    cursors: dict[str, int]
    last_id: int
    total: int
    sent: int
    superseded: int
    refused: int
    held: int
    waits_for: str | None
    token: int
    created_at: datetime
    ended_at: datetime | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in FINISHED

    @property
    def decided(self) -> int:
        """About how many letters it has decided."""
        return self.sent + self.superseded + self.refused

    def selection(self) -> Selection:
        """Return which letters it may still pick."""
        return Selection(choice=self.chosen, job_id=self.id, last_id=self.last_id)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What one round has added to a job, and where it goes on."""

    cursors: dict[str, int]
    sent: int = 0
    superseded: int = 0
    refused: int = 0


class ReplayJobs:
    """Making, working and steering jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, choice: Choice, actor: Actor, rate_per_second: float | None = None) -> Job | None:
        """Make a job of all open letters that `choice` means now, or None where there is none."""
        with self._database.transaction() as connection:
            return self.make_within(connection, choice, actor, rate_per_second)

    def make_within(
        self, connection: Connection, choice: Choice, actor: Actor, rate_per_second: float | None = None
    ) -> Job | None:
        """Make it with the transaction of `connection`. What grows older meanwhile is not part of the decision."""
        choice = _as_of_now(connection, choice)
        condition, parameters = choice.condition()
        told = {"who": actor.who, "why": actor.why, "rate": rate_per_second}
        told["chosen"] = msgspec.json.encode(choice).decode()
        row = connection.execute(_MAKE.format(condition=condition), parameters | told).fetchone()
        return _job(row) if row else None

    def find(self, job_id: int) -> Job | None:
        """Return the job."""
        row = self._database.row(_FIND, {"id": job_id})
        return _job(row) if row else None

    def latest(self, limit: int = 20) -> list[Job]:
        """Return the latest jobs, the newest first."""
        return [_job(row) for row in self._database.rows(_LATEST, {"limit": limit})]

    def take_up(self, job_id: int, lease_seconds: float) -> Job | None:
        """Take a running job that nobody works on for `lease_seconds`; None otherwise."""
        row = self._database.row(_TAKE_UP, {"id": job_id, "lease_seconds": lease_seconds})
        return _job(row) if row else None

    def note(self, connection: Connection, job: Job, progress: Progress, lease_seconds: float) -> bool:
        """Write down what a round did, with its transaction. False: stopped, or taken up by somebody else."""
        told: dict[str, Any] = {"id": job.id, "token": job.token, "lease_seconds": lease_seconds}
        told |= {"cursors": msgspec.json.encode(progress.cursors).decode()}
        told |= {"sent": progress.sent, "superseded": progress.superseded, "refused": progress.refused}
        return bool(connection.execute(_NOTE, told).rowcount)

    def lay_down(self, job: Job, *, wait_seconds: float, waits_for: str | None, held: int = 0) -> bool:
        """Give a job back, to go on in `wait_seconds`. False: no longer ours, or not to go on."""
        told = {"id": job.id, "token": job.token, "wait_seconds": wait_seconds, "waits_for": waits_for, "held": held}
        return bool(self._database.run(_LAY_DOWN, told))

    def finish(self, job: Job, held: int) -> bool:
        """End a job. `held` letters stay where they are."""
        return bool(self._database.run(_FINISH, {"id": job.id, "token": job.token, "held": held}))

    def steer(self, job_id: int, actor: Actor, *, to: str, only_from: Sequence[str]) -> bool:
        """Let a job pause, go on or end as an operator says. False: it is in none of the states `only_from`."""
        told = {"id": job_id, "to": to, "only_from": list(only_from), "who": actor.who, "why": actor.why}
        return bool(self._database.run(_STEER, told))

    def stranded(self, grace_seconds: float) -> list[int]:
        """Return running jobs that nobody has worked on for `grace_seconds` beyond what they were given."""
        return [row[0] for row in self._database.rows(_STRANDED, {"grace_seconds": grace_seconds})]


def _as_of_now(connection: Connection, choice: Choice) -> Choice:
    """Return the choice with a moment in the place of an age."""
    if choice.older_than_seconds is None:
        return choice
    row = connection.execute(_AGO, {"seconds": choice.older_than_seconds}).fetchone()
    assert row is not None
    until = row[0] if choice.until is None else min(choice.until, row[0])
    return msgspec.structs.replace(choice, older_than_seconds=None, until=until)


_AGO = "SELECT now() - make_interval(secs => %(seconds)s)"


def _job(row: Sequence[Any]) -> Job:
    told = dict(zip(_NAMES, row, strict=True))
    told["chosen"] = _CHOICE.decode(told["chosen"])
    return Job(**told)


_CHOICE = msgspec.json.Decoder(Choice)
_NAMES = (
    *("id", "made_by", "why", "chosen", "rate_per_second", "state", "cursors", "last_id", "total"),
    *("sent", "superseded", "refused", "held", "waits_for", "token", "created_at", "ended_at"),
)
_COLUMNS = ", ".join("chosen::TEXT" if name == "chosen" else name for name in _NAMES)

_MAKE = f"""
INSERT INTO replay_jobs (made_by, why, chosen, rate_per_second, last_id, total)
SELECT %(who)s, %(why)s, %(chosen)s::JSONB, %(rate)s, max(letter.id), count(*)
  FROM dead_letters AS letter
 WHERE {{condition}}
   AND letter.state IN ('pending', 'parked')
HAVING count(*) > 0
RETURNING {_COLUMNS}
"""  # noqa: S608 - put together from constants

_FIND = f"""
SELECT {_COLUMNS}
  FROM replay_jobs
 WHERE id = %(id)s
"""  # noqa: S608 - the columns are a constant of ours

_LATEST = f"""
SELECT {_COLUMNS}
  FROM replay_jobs
 ORDER BY id DESC
 LIMIT %(limit)s
"""  # noqa: S608 - likewise

_TAKE_UP = f"""
UPDATE replay_jobs
   SET token = token + 1,
       lease_until = now() + make_interval(secs => %(lease_seconds)s)
 WHERE id = %(id)s
   AND state = 'running'
   AND lease_until <= now()
RETURNING {_COLUMNS}
"""  # noqa: S608 - likewise

_NOTE = """
UPDATE replay_jobs
   SET cursors = %(cursors)s::JSONB,
       sent = sent + %(sent)s,
       superseded = superseded + %(superseded)s,
       refused = refused + %(refused)s,
       waits_for = NULL,
       lease_until = now() + make_interval(secs => %(lease_seconds)s)
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'running'
"""

_LAY_DOWN = """
UPDATE replay_jobs
   SET lease_until = now() + make_interval(secs => %(wait_seconds)s),
       waits_for = %(waits_for)s,
       held = %(held)s
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'running'
"""

_FINISH = """
UPDATE replay_jobs
   SET state = 'done',
       held = %(held)s,
       waits_for = NULL,
       ended_at = now()
 WHERE id = %(id)s
   AND token = %(token)s
   AND state = 'running'
"""

_STEER = """
WITH before AS (
    SELECT id, state
      FROM replay_jobs
     WHERE id = %(id)s
       AND state = ANY (%(only_from)s)
       FOR UPDATE
), steered AS (
    UPDATE replay_jobs
       SET state = %(to)s,
           lease_until = '-infinity',
           waits_for = NULL,
           ended_at = CASE WHEN %(to)s = 'cancelled' THEN now() END
      FROM before
     WHERE replay_jobs.id = before.id
    RETURNING before.id, before.state AS was, replay_jobs.state AS is
)
INSERT INTO dead_letter_audit (job_id, who, what, why, before, after)
SELECT id, %(who)s, %(to)s, %(why)s, jsonb_build_object('state', was), jsonb_build_object('state', steered.is)
  FROM steered
"""

_STRANDED = """
SELECT id
  FROM replay_jobs
 WHERE state = 'running'
   AND lease_until < now() - make_interval(secs => %(grace_seconds)s)
"""
