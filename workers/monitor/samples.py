"""A survey as the samples of the catalogue's metrics. What could not be read has none."""

import math
from collections.abc import Iterator, Mapping

from config.settings.monitor import ROLES
from payments.event import Provider
from payments.ledger.dead_letters.statistics import Statistics
from payments.ledger.state import ENDED, State
from payments.resilience.breaker_state import State as BreakerState
from workers.monitor.finding import Status, Verdict
from workers.monitor.survey import (
    Counts,
    DeadLettersSeen,
    FleetSeen,
    KafkaSeen,
    LedgerSeen,
    QueuesSeen,
    ResilienceSeen,
    Survey,
)
from workers.pulse.sign import Life

Sample = tuple[str, tuple[str, ...], float]
"""A metric's name, the values of its labels in the catalogue's order, and its value."""

_DEAD_LETTER_STATES = ("pending", "replaying", "parked", "resolved", "discarded")
_OPEN_BY = ("reason", "service", "provider", "failure_type", "category")
_UNFINISHED = tuple(state for state in State if state not in ENDED)
_FOR_GOOD = (State.SETTLED, State.DECLINED, State.SUPERSEDED, State.IGNORED)


def samples(survey: Survey, verdict: Verdict) -> Iterator[Sample]:
    """Yield every sample of a survey."""
    if survey.ledger is not None:
        yield from _ledger(survey.ledger)
    if survey.ended is not None:
        yield from _ended(survey.ended)
    if survey.dead_letters is not None:
        yield from _dead_letters(survey.dead_letters)
    if survey.queues is not None:
        yield from _queues(survey.queues)
    if survey.kafka is not None:
        yield from _kafka(survey.kafka)
    if survey.resilience is not None:
        yield from _resilience(survey.resilience)
    if survey.fleet is not None:
        yield from _fleet(survey.fleet)
    yield from _monitor(survey, verdict)


def dead_letter_samples(told: Statistics) -> Iterator[Sample]:
    """Yield the numbers of dead letters, of all or of a choice."""
    yield from _by("payferry_dead_letters", dict.fromkeys(_DEAD_LETTER_STATES, 0) | told.by_state)
    for label in _OPEN_BY:
        yield from _by(f"payferry_dead_letters_open_by_{label}", getattr(told, f"by_{label}"))
    yield "payferry_dead_letters_critical", (), told.critical
    yield "payferry_dead_letters_oldest_open_seconds", (), told.oldest_open_seconds
    mttr_seconds = math.nan if told.mttr_seconds is None else told.mttr_seconds  # a gap in a curve, and no zero
    yield "payferry_dead_letters_mttr_seconds", (), mttr_seconds
    replays = {"succeeded": told.replays_succeeded, "failed": told.replays_failed}
    yield from _by("payferry_dead_letter_replays", replays)
    for window, rates in {"1m": told.last_minute, "1h": told.last_hour}.items():
        yield "payferry_dead_letters_came_in", (window,), rates.came_in
        yield "payferry_dead_letters_went_out", (window,), rates.went_out


def _ledger(told: LedgerSeen) -> Iterator[Sample]:
    yield from _counts("payferry_inbox_events", told.inbox, _UNFINISHED)
    yield "payferry_inbox_oldest_due_seconds", (), told.oldest_due_seconds
    yield "payferry_outbox_messages", ("waiting",), told.outbox.waiting
    yield "payferry_outbox_messages", ("refused",), told.outbox.refused
    yield "payferry_outbox_oldest_seconds", (), told.outbox.oldest_seconds
    yield from _by("payferry_beat_slot_age_seconds", told.slot_ages)
    yield "payferry_bridge_poison_pause", (), float(told.poison_pause is not None)


def _ended(told: Counts) -> Iterator[Sample]:
    yield from _counts("payferry_inbox_events", told, tuple(sorted(ENDED)))
    yield from _counts("payferry_events_ended", told, _FOR_GOOD)


def _dead_letters(told: DeadLettersSeen) -> Iterator[Sample]:
    yield from dead_letter_samples(told.statistics)
    yield "payferry_dead_letters_parked_unseen_seconds", (), told.attention.parked_unseen_seconds
    if told.attention.last_processed_seconds is not None:
        yield "payferry_dead_letters_last_processed_seconds", (), told.attention.last_processed_seconds
    yield from _by("payferry_dead_letter_replays_lately", told.attention.replays_lately)


def _queues(told: QueuesSeen) -> Iterator[Sample]:
    yield from _by("payferry_queue_messages", told.waiting)
    yield "payferry_queue_unacknowledged", (), told.unacknowledged


def _kafka(told: KafkaSeen) -> Iterator[Sample]:
    for partition, records in told.lag.items():
        yield "payferry_consumer_lag_records", (told.topic, str(partition)), records


def _resilience(told: ResilienceSeen) -> Iterator[Sample]:
    for each in told.breakers:
        for state in BreakerState:
            yield "payferry_breaker_state", (each.name, state), float(each.state == state)
        yield "payferry_breaker_calls", (each.name, "succeeded"), max(0, each.calls - each.failures)
        yield "payferry_breaker_calls", (each.name, "failed"), each.failures
        yield "payferry_breaker_calls", (each.name, "slow"), each.slow
        yield "payferry_breaker_openings", (each.name,), each.opened
    yield from _by("payferry_retry_budget_used_ratio", told.budgets_used)
    yield from _by("payferry_rate_limit_calls_per_second", told.limits_per_second)
    yield from _by("payferry_rate_limit_used_ratio", told.limits_used)


def _fleet(told: FleetSeen) -> Iterator[Sample]:
    for role in sorted({*ROLES, *(each.sign.role for each in told.processes)}):
        lives = [each.life for each in told.of(role)]
        for life in Life:
            yield "payferry_processes", (role, life), lives.count(life)


def _monitor(survey: Survey, verdict: Verdict) -> Iterator[Sample]:
    yield from _by("payferry_dependency_up", survey.dependencies)
    for status in Status:
        yield "payferry_health", (status,), float(verdict.status is status)
    yield "payferry_survey_seconds", (), survey.took_seconds


def _by(name: str, numbers: Mapping[str, float]) -> Iterator[Sample]:
    for label, number in numbers.items():
        yield name, (label,), float(number)


def _counts(name: str, counts: Counts, states: tuple[State, ...]) -> Iterator[Sample]:
    """Yield one for each provider and state, of which there may be none."""
    for provider in Provider:
        for state in states:
            yield name, (provider, state), counts.get(provider, {}).get(state, 0)
