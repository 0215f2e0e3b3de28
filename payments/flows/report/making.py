"""Making a report: out of what was counted in the ledger, and of what Redis knows of the breakers."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from payments.failures import QueueAway
from payments.flows.report.advice import Limits, recommendations
from payments.flows.report.breakers import history
from payments.flows.report.report import (
    ENDINGS,
    WELL,
    CategoryErrors,
    ErrorReport,
    ImpactReport,
    LettersReport,
    ProviderTotals,
    Recovery,
    ReplayOutcome,
    Report,
    RetryOutcome,
    TopError,
    Totals,
    TypeErrors,
)
from payments.flows.report.sums import money_by_currency
from payments.flows.report.trend import trend
from payments.ledger.reports.endings import REJECTED, Ended
from payments.ledger.reports.errors import Category, Kind, OfType
from payments.ledger.reports.reader import Counted
from payments.ledger.reports.recovery import Retried
from payments.resilience.breaker_state import BreakerEvent

_VERSION = 1

_ALL_CHANGES = 100_000
"""More than Redis ever keeps."""

Changes = Callable[[int], Sequence[BreakerEvent]]
"""Returns at most so many of the latest changes of breakers. Raises QueueAway."""


def make_report(counted: Counted, changes: Changes, limits: Limits | None = None) -> Report:
    """Return the report. Where Redis cannot be asked, it says so and has everything else."""
    breakers, unknown = None, None
    try:
        breakers = history(counted.window, changes(_ALL_CHANGES))
    except QueueAway as away:
        unknown = away.message
    report = Report(
        version=_VERSION,
        made_at=counted.at,
        since=counted.window.since,
        until=counted.window.until,
        seconds=counted.window.seconds,
        totals=totals(counted.ended),
        errors=_errors(counted),
        trend=trend(counted.window, counted.ended, counted.errors.by_step),
        recovery=_recovery(counted),
        impact=_impact(counted),
        breakers=breakers,
        breakers_unknown=unknown,
        dead_letters=_letters(counted),
        waits=counted.waits,
        standing=counted.standing,
    )
    return msgspec.structs.replace(report, recommendations=tuple(recommendations(report, limits or Limits())))


def totals(ended: Sequence[Ended]) -> Totals:
    """Return what ended, in all and by provider."""
    by_ending = _by_ending(ended)
    return Totals(
        ended=sum(by_ending.values()),
        by_ending=by_ending,
        success_rate=_success(by_ending),
        by_provider=tuple(_of_provider(name, ended) for name in sorted({each.provider for each in ended})),
    )


def _of_provider(provider: str, ended: Sequence[Ended]) -> ProviderTotals:
    by_ending = _by_ending(each for each in ended if each.provider == provider)
    return ProviderTotals(
        provider=provider,
        ended=sum(by_ending.values()),
        by_ending=by_ending,
        success_rate=_success(by_ending),
    )


def _by_ending(ended: Iterable[Ended]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in ended:
        found[each.ending] += each.number
    return {ending: found[ending] for ending in ENDINGS}


def _success(by_ending: dict[str, int]) -> float | None:
    return _share(sum(by_ending[ending] for ending in WELL), sum(by_ending.values()))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _errors(counted: Counted) -> ErrorReport:
    found, hours = counted.errors, counted.window.seconds / 3600
    rejected = sum(each.number for each in counted.ended if each.ending == REJECTED)
    at_work = sum(each.number for each in counted.ended) + found.unended_events
    return ErrorReport(
        errors=found.errors,
        events=found.events,
        per_hour=round(found.errors / hours, 2),
        error_rate=_share(found.events + rejected, at_work),
        by_category=tuple(
            CategoryErrors(**_with_share(each, found.errors), per_hour=round(each.errors / hours, 2))
            for each in found.by_category
        ),
        by_type=tuple(TypeErrors(**_with_share(each, found.errors)) for each in found.by_type),
        top=tuple(TopError(**_with_share(each, found.errors)) for each in found.kinds),
        others=found.errors - sum(each.errors for each in found.kinds),
    )


def _with_share(told: Category | OfType | Kind, errors: int) -> dict[str, Any]:
    return msgspec.structs.asdict(told) | {"share": round(told.errors / errors, 4)}


def _recovery(counted: Counted) -> Recovery:
    whole, *by_type = map(_retried, counted.retried)
    told = counted.replayed
    return Recovery(
        retries=whole,
        by_failure_type=tuple(by_type),
        replays=ReplayOutcome(
            sent=told.sent,
            succeeded=told.succeeded,
            failed=told.failed,
            success_rate=_share(told.succeeded, told.succeeded + told.failed),
        ),
        time_to_effect=counted.time_to_effect,
    )


def _retried(told: Retried) -> RetryOutcome:
    return RetryOutcome(**msgspec.structs.asdict(told), success_rate=_share(told.took_effect, told.events))


def _impact(counted: Counted) -> ImpactReport:
    found = counted.impact
    return ImpactReport(
        payments=found.payments,
        open_payments=found.open_payments,
        customers=found.customers,
        money=money_by_currency(found.touched),
    )


def _letters(counted: Counted) -> LettersReport:
    found, now = counted.letters, counted.at
    return LettersReport(
        open=found.open.number,
        critical=found.open.critical,
        by_state=found.open.by_state,
        by_reason=found.open.by_reason,
        oldest_seconds=_age(now, found.open.oldest_failed_at),
        parked_seconds=_age(now, found.open.parked_since),
        came_in=sum(found.came_in.values()),
        came_in_by_reason=found.came_in,
        went_out=sum(found.went_out.values()),
        went_out_by_resolution=found.went_out,
        groups=found.groups,
    )


def _age(now: datetime, since: datetime | None) -> float:
    return round((now - since).total_seconds(), 3) if since else 0.0
