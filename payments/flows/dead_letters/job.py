"""Working on a replay job: round after round under one lease, then it is passed on."""

from collections import deque
from contextlib import suppress

import msgspec

from payments.failures import QueueAway
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.gate import gate_of
from payments.flows.dead_letters.replay import Round
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.jobs import Job, Progress
from payments.ledger.dead_letters.pace import Lane, Pace

_LONGEST_PAUSE_SECONDS = 0.25
"""Within one stretch of work; a longer pause is left to a message with a countdown."""

_STROKE_SECONDS = 0.05
"""For how long tokens gather before the next round: a transaction for each single letter would be slow."""


class Stopped(Exception):
    """The job was paused, cancelled, or taken up by somebody else; this round leaves nothing behind."""


class Walk(msgspec.Struct):
    """One pass over all that a job chose, and how far it has come. It lives as long as one stretch of work."""

    lanes: deque[str]
    """The providers that may have more, the next one first."""
    cursors: dict[str, int]
    moved: bool = False
    wait_seconds: float = 0.0
    waits_for: str | None = None

    def rest(self) -> None:
        """Forget why the lanes have waited."""
        self.wait_seconds, self.waits_for = 0.0, None

    def must_wait(self, seconds: float, waits_for: str) -> None:
        """Note that a lane can go on in `seconds`; the soonest of all counts."""
        if self.waits_for is None or seconds < self.wait_seconds:
            self.wait_seconds, self.waits_for = seconds, waits_for


def work_on_job(desk: ReplayDesk, job_id: int) -> str:
    """Work on the job for some seconds; queue the rest. Returns `done`, `passed on` or `not ours`.

    Whatever was sent is counted in the transaction that sends it, so a worker that dies leaves a job that the next one
    goes on with, and no letter is sent back twice for one job. Raises DatabaseAway.
    """
    job = desk.jobs.take_up(job_id, desk.policy.job_lease_seconds)
    if job is None:
        return "not ours"
    try:
        return _work(desk, job)
    except Stopped:
        return "not ours"


def _work(desk: ReplayDesk, job: Job) -> str:
    until = desk.clock() + desk.policy.job_seconds
    walk = Walk(lanes=deque(desk.replays.left(job.selection())), cursors=dict(job.cursors), moved=bool(job.cursors))
    while True:
        if not walk.lanes:
            left = desk.replays.left(job.selection())
            if not left or not walk.moved:
                return _end(desk, job, sum(left.values()))
            walk = Walk(lanes=deque(left), cursors={})
        walk.rest()
        has_moved = _stroke(desk, job, walk, until)
        must_pause = not has_moved and walk.wait_seconds > _LONGEST_PAUSE_SECONDS
        if must_pause or desk.clock() >= until:
            return _pass_on(desk, job, walk, 0.0 if has_moved else walk.wait_seconds)
        if not has_moved and walk.lanes:
            desk.sleep(walk.wait_seconds)


def _stroke(desk: ReplayDesk, job: Job, walk: Walk, until: float) -> bool:
    """Give each provider one round, the first of them another time; return whether anything was decided."""
    has_moved = False
    for provider in list(walk.lanes):
        has_moved |= _round(desk, job, walk, provider)
        if desk.clock() >= until:
            break
    walk.lanes.rotate(-1)
    walk.moved |= has_moved
    return has_moved


def _round(desk: ReplayDesk, job: Job, walk: Walk, provider: str) -> bool:
    """Send back some letters of one provider; take it off the lanes once this pass has seen them all."""
    gate = gate_of(desk.switchboard, provider)
    with desk.replays.turn(Actor(f"job {job.id}", job.why)) as turn:
        pace = Lane(turn.connection, f"job:{job.id}", _pace(job), begins_full=False) if job.rate_per_second else None
        work = Round(desk, turn, provider, job.id)
        most = desk.policy.round_size
        found = work.run(job.selection(), gate, most, after_id=walk.cursors.get(provider, 0), pace=pace)
        walk.cursors[provider] = max(work.last_id, walk.cursors.get(provider, 0))
        progress = Progress(cursors=walk.cursors, **msgspec.structs.asdict(found))
        if not desk.jobs.note(turn.connection, job, progress, desk.policy.job_lease_seconds):
            raise Stopped
    work.wake()
    if work.waits_for is not None:
        walk.must_wait(max(work.wait_seconds, _STROKE_SECONDS), work.waits_for)
    elif work.has_seen_all:
        walk.lanes.remove(provider)
    return bool(found.total)


def _pace(job: Job) -> Pace:
    """Return the pace that the job was given: what a second has missed may follow, and no more."""
    assert job.rate_per_second is not None
    return Pace(job.rate_per_second, max(1.0, job.rate_per_second))


def _end(desk: ReplayDesk, job: Job, held: int) -> str:
    if not desk.jobs.finish(job, held):
        return "not ours"
    desk.tell("replay_job_done", job=job.id, held=held)
    return "done"


def _pass_on(desk: ReplayDesk, job: Job, walk: Walk, wait_seconds: float) -> str:
    if not desk.jobs.lay_down(job, wait_seconds=wait_seconds, waits_for=walk.waits_for):
        return "not ours"
    with suppress(QueueAway):  # the sweep finds a job that nobody works on
        desk.start_job(job.id, wait_seconds)
    return "passed on"
