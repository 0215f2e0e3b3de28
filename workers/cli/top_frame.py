"""What `payferry top` shows at one moment: a survey, what follows from it, and what moved since earlier ones. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from payments.ledger.state import State
from payments.resilience.breaker_state import BreakerView
from workers.monitor.finding import Verdict
from workers.monitor.survey import Survey
from workers.pulse.sign import Life, Seen

MOVING = timedelta(seconds=10)
"""Rates are over this time, or as much of it as there is: single surveys are seconds apart, and rates would jump."""

_DONE = "done"


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second. None where there is no earlier survey to compare with, or the ledger could not be asked.

    The more events there are, the less often those that have ended are counted: then it moves less often too.
    """

    taken_per_second: float | None
    """New rows of the inbox."""
    ended_per_second: float | None


class InboxShown(msgspec.Struct, frozen=True, kw_only=True):
    """Events that have not ended, and messages that wait to go out."""

    by_state: dict[str, int]
    oldest_due_seconds: float
    outbox: int
    outbox_refused: int
    outbox_oldest_seconds: float


class LettersShown(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters, and how many came and went within the last minute."""

    by_state: dict[str, int]
    critical: int
    came_in_minute: int
    went_out_minute: int


class QueuesShown(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of Celery."""

    waiting: dict[str, int]
    unacknowledged: int


class ProcessShown(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `done_per_second` is of workers, in tasks; None where nothing is known to compare with."""

    role: str
    name: str
    life: Life
    seen_seconds: float
    done_per_second: float | None
    numbers: dict[str, float]
    troubles: dict[str, float]
    why: str


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is shown. A part that could not be read is None, and `unread` says why."""

    taken_at: datetime
    verdict: Verdict
    throughput: Throughput
    inbox: InboxShown | None
    lag: int | None
    """Records that the bridges have not committed, over all partitions."""
    queues: QueuesShown | None
    breakers: tuple[BreakerView, ...] | None
    dead_letters: LettersShown | None
    processes: tuple[ProcessShown, ...] | None
    unread: dict[str, str]


def frame_of(survey: Survey, verdict: Verdict, before: Sequence[Survey] = ()) -> Frame:
    """Return what is shown of `survey`; `before` are earlier ones, the oldest first."""
    return Frame(
        taken_at=survey.taken_at,
        verdict=verdict,
        throughput=Throughput(
            taken_per_second=_per_second(before, survey, _taken), ended_per_second=_per_second(before, survey, _ended)
        ),
        inbox=_inbox(survey),
        lag=sum(survey.kafka.lag.values()) if survey.kafka else None,
        queues=_queues(survey),
        breakers=survey.resilience.breakers if survey.resilience else None,
        dead_letters=_letters(survey),
        processes=_processes(survey, before),
        unread=survey.unread,
    )


def moving(surveys: Sequence[Survey], now: datetime) -> list[Survey]:
    """Return those that rates are made from: of the last ten seconds, or the latest where all are older."""
    recent = [each for each in surveys if now - each.taken_at <= MOVING]
    return recent or list(surveys[-1:])


def _per_second(before: Sequence[Survey], survey: Survey, count: Callable[[Survey], int | None]) -> float | None:
    """Return how much a count grows, since the earliest survey that has it."""
    now = count(survey)
    for each in before:
        then, seconds = count(each), (survey.taken_at - each.taken_at).total_seconds()
        if now is not None and then is not None and seconds > 0:
            return round(max(0, now - then) / seconds, 2)
    return None


def _ended(survey: Survey) -> int | None:
    """Return how many events have ended for good: what is dead may come back."""
    if survey.ended is None:
        return None
    return sum(number for told in survey.ended.values() for state, number in told.items() if state != State.DEAD)


def _taken(survey: Survey) -> int | None:
    if survey.ended is None or survey.ledger is None:
        return None
    return sum(sum(told.values()) for counts in (survey.ended, survey.ledger.inbox) for told in counts.values())


def _inbox(survey: Survey) -> InboxShown | None:
    if survey.ledger is None:
        return None
    by_state: Counter[str] = Counter()
    for told in survey.ledger.inbox.values():
        by_state.update(told)
    outbox = survey.ledger.outbox
    return InboxShown(
        by_state=dict(sorted(by_state.items())),
        oldest_due_seconds=survey.ledger.oldest_due_seconds,
        outbox=outbox.waiting,
        outbox_refused=outbox.refused,
        outbox_oldest_seconds=outbox.oldest_seconds,
    )


def _queues(survey: Survey) -> QueuesShown | None:
    told = survey.queues
    return QueuesShown(waiting=told.waiting, unacknowledged=told.unacknowledged) if told else None


def _letters(survey: Survey) -> LettersShown | None:
    if survey.dead_letters is None:
        return None
    told = survey.dead_letters.statistics
    return LettersShown(
        by_state=told.by_state,
        critical=told.critical,
        came_in_minute=told.last_minute.came_in,
        went_out_minute=told.last_minute.went_out,
    )


def _processes(survey: Survey, before: Sequence[Survey]) -> tuple[ProcessShown, ...] | None:
    if survey.fleet is None:
        return None
    earlier = {
        (each.sign.key, each.sign.started_at): each
        for told in reversed(before)
        if told.fleet is not None
        for each in told.fleet.processes
    }
    shown = (_process(each, earlier.get((each.sign.key, each.sign.started_at))) for each in survey.fleet.processes)
    return tuple(sorted(shown, key=lambda each: (_ROLES.get(each.role, len(_ROLES)), each.name)))


def _process(seen: Seen, before: Seen | None) -> ProcessShown:
    sign = seen.sign
    return ProcessShown(
        role=sign.role,
        name=sign.name,
        life=seen.life,
        seen_seconds=round(seen.seen_seconds, 1),
        done_per_second=_done_per_second(seen, before),
        numbers=sign.numbers,
        troubles=sign.troubles,
        why=seen.why,
    )


def _done_per_second(seen: Seen, before: Seen | None) -> float | None:
    """Return the tasks that it did a second, by its own clock: a sign is older than the survey that reads it."""
    if before is None or _DONE not in seen.sign.numbers:
        return None
    seconds = seen.sign.up_seconds - before.sign.up_seconds
    done = seen.sign.numbers[_DONE] - before.sign.numbers.get(_DONE, 0.0)
    return round(done / seconds, 2) if seconds > 0 else None


_ROLES = {role: place for place, role in enumerate(("bridge", "worker", "beat", "relay", "api"))}
