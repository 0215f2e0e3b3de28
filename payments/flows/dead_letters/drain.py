"""When a breaker closes, what it made wait or buried comes back at once, at the provider's velocity."""

from contextlib import suppress

from payments.event import Provider
from payments.failures import QueueAway
from payments.flows.dead_letters.desk import ReplayDesk
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import Job
from payments.ledger.dead_letters.switch import follow_closing, release_waiting
from payments.resilience.breaker_state import BreakerEvent, State

BREAKER = Actor("breaker", "its breaker has closed")
_LOOKED_AT = 50  # of the latest changes; one breaker makes a few a minute


def follow_closings(desk: ReplayDesk) -> int:
    """Drain what waits behind each breaker that has closed since it was last looked; return how many that were.

    Each closing is followed once in the whole fleet, whoever sees it first. Raises QueueAway, DatabaseAway.
    """
    events = [event for event in desk.switchboard.transitions(_LOOKED_AT) if _is_closing(event)]
    newest = {event.name: event for event in reversed(events)}
    followed = 0
    for event in newest.values():
        if desk.followed.get(event.name, 0) < event.generation:
            followed += _follow(desk, event)
            desk.followed[event.name] = event.generation
    return followed


def _is_closing(event: BreakerEvent) -> bool:
    return event.now == State.CLOSED and event.name in {str(provider) for provider in Provider}


def _follow(desk: ReplayDesk, event: BreakerEvent) -> bool:
    """Let waiting payments come back and make a job of dead ones, in one transaction with the note that it is done."""
    provider, is_paused = event.name, desk.switch.is_paused
    with desk.database.transaction() as connection:
        if not follow_closing(connection, provider, event.generation):
            return False
        released = release_waiting(connection, provider, desk.policies.velocity(provider).per_second)
        job = None if is_paused else desk.jobs.make_within(connection, _behind(provider), BREAKER)
    desk.tell("breaker_drained", breaker=provider, released=released, buried=job.total if job else 0)
    _start(desk, job)
    return True


def _behind(provider: str) -> Choice:
    """Return the dead letters that the provider's own failures have made, and that may go well now."""
    return Choice(provider=provider, states=("pending",), service=provider, but_category="permanent")


def _start(desk: ReplayDesk, job: Job | None) -> None:
    if job is not None:
        with suppress(QueueAway):  # the sweep finds a job that nobody works on
            desk.start_job(job.id, 0.0)
