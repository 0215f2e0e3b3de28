"""Reports for tests: a quiet one, of an hour in which nothing happened, and what it takes to change parts of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from payments.flows.report.making import make_report
from payments.flows.report.report import (
    BreakerHistory,
    BreakerReport,
    Report,
    RetryOutcome,
    TypeErrors,
)
from payments.ledger.reports.endings import Ended
from payments.ledger.reports.errors import Category, Errors, Kind, OfType, Seen
from payments.ledger.reports.impact import Impact, Touched
from payments.ledger.reports.letters import Group, Letters, OpenLetters
from payments.ledger.reports.reader import Counted
from payments.ledger.reports.recovery import Replayed, Retried, Time
from payments.ledger.reports.standing import Standing, Wait
from payments.ledger.reports.window import Window
from payments.resilience.breaker_state import BreakerEvent

UNTIL = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(hours=1)


def counted(**told: Any) -> Counted:  # noqa: ANN401 - any part
    """Return what was counted where nothing happened, but for the parts that are told."""
    nothing: dict[str, Any] = {
        "at": UNTIL,
        "window": Window(since=SINCE, until=UNTIL),
        "ended": (),
        "errors": Errors(errors=0, events=0, unended_events=0, by_category=(), by_type=(), kinds=(), by_step=()),
        "retried": (Retried(failure_type=None, events=0, took_effect=0, superseded=0, dead=0, unfinished=0),),
        "replayed": Replayed(sent=0, succeeded=0, failed=0),
        "time_to_effect": Time(events=0, mean_seconds=None, p50_seconds=None, p95_seconds=None),
        "impact": Impact(payments=0, open_payments=0, customers=0, touched=()),
        "letters": Letters(
            open=OpenLetters(number=0, critical=0, by_state={}, by_reason={}, oldest_failed_at=None, parked_since=None),
            came_in={},
            went_out={},
            groups=(),
        ),
        "standing": Standing(unfinished={}, oldest_due_seconds=0.0, outbox=0, oldest_outbox_seconds=0.0),
        "waits": (),
    }
    return Counted(**(nothing | told))


def quiet() -> Report:
    """Return the report of an hour in which nothing happened."""
    return make_report(counted(), lambda _: ())


def changed(report: Report, path: str, value: object) -> Report:
    """Return the report with `value` at `path`, such as `standing.oldest_due_seconds`."""
    name, _, rest = path.partition(".")
    part = changed(getattr(report, name), rest, value) if rest else value
    return msgspec.structs.replace(report, **{name: part})  # type: ignore[no-any-return]


def a_type(failure_type: str, errors: int, service: str = "stripe") -> TypeErrors:
    """Return errors of one type."""
    return TypeErrors(
        failure_type=failure_type, category="transient", service=service, errors=errors, events=errors, share=0.0
    )


def a_breaker(**told: Any) -> BreakerHistory:  # noqa: ANN401 - any field
    """Return the history of one breaker."""
    whole = {"breaker": "stripe", "openings": 0, "open_seconds": 0.0, "half_open_seconds": 0.0}
    return BreakerHistory(complete=True, breakers=(BreakerReport(**(whole | told), state="closed", spans=()),))


def an_outcome(failure_type: str, events: int, took_effect: int, unfinished: int = 0) -> RetryOutcome:
    """Return what became of events that met this type of failure; those that are left are dead."""
    return RetryOutcome(
        failure_type=failure_type,
        events=events,
        took_effect=took_effect,
        superseded=0,
        dead=events - took_effect - unfinished,
        unfinished=unfinished,
        success_rate=took_effect / events,
    )


def busy() -> Report:
    """Return a report in which every part holds something."""
    step = SINCE + timedelta(minutes=20)
    parts = counted(
        ended=(
            Ended("stripe", "settled", step, False, 1_900),
            Ended("stripe", "dead", step, False, 3),
            Ended("paypal", "declined", step + timedelta(minutes=20), True, 40),
            Ended("unknown", "rejected", step, False, 7),
        ),
        errors=Errors(
            errors=2_100,
            events=30,
            unended_events=2,
            by_category=(Category(category="transient", errors=2_100, events=30),),
            by_type=(
                OfType(failure_type="connect_timeout", category="transient", service="stripe", errors=2_100, events=30),
            ),
            kinds=(
                Kind(
                    failure_type="connect_timeout",
                    category="transient",
                    code="a.code",
                    service="stripe",
                    operation="capture",
                    errors=2_000,
                    events=29,
                    first_seen_at=SINCE,
                    last_seen_at=UNTIL - timedelta(seconds=1),
                    message="<nobody> picked up & went",
                ),
            ),
            by_step=(Seen(step, False, 100), Seen(step + timedelta(minutes=20), True, 2_000)),
        ),
        retried=(
            Retried(failure_type=None, events=30, took_effect=20, superseded=5, dead=3, unfinished=2),
            Retried(failure_type="connect_timeout", events=30, took_effect=20, superseded=5, dead=3, unfinished=2),
        ),
        replayed=Replayed(sent=9, succeeded=4, failed=2),
        time_to_effect=Time(events=20, mean_seconds=12.345, p50_seconds=0.5, p95_seconds=90.0),
        impact=Impact(
            payments=28,
            open_payments=5,
            customers=11,
            touched=(
                Touched(
                    provider="stripe",
                    currency="EUR",
                    payments=28,
                    amount_minor=1_234_567,
                    open_payments=5,
                    open_amount_minor=5_000,
                ),
            ),
        ),
        letters=Letters(
            open=OpenLetters(
                number=10,
                critical=1,
                by_state={"parked": 8, "pending": 2},
                by_reason={"undecodable": 7, "a.code": 3},
                oldest_failed_at=SINCE,
                parked_since=SINCE,
            ),
            came_in={"undecodable": 7, "a.code": 3},
            went_out={"settled": 4},
            groups=(
                Group(
                    fingerprint="0123456789abcdef",
                    reason="undecodable",
                    failure_type="undecodable",
                    category="permanent",
                    service="payferry",
                    letters=7,
                    open=7,
                ),
            ),
        ),
        standing=Standing(unfinished={"retrying": 2}, oldest_due_seconds=400.0, outbox=3, oldest_outbox_seconds=1.5),
        waits=(Wait(kind="rate_limited", events=25, seconds=80.0),),
    )
    changes = [a_change("stripe", "closed", "open", 600), a_change("stripe", "open", "half_open", 630)]
    return make_report(parts, lambda _: [*changes, a_change("stripe", "half_open", "closed", 632)])


def a_change(breaker: str, was: str, now: str, after_seconds: float) -> BreakerEvent:
    """Return a change of a breaker so long after the window began."""
    at = SINCE.timestamp() + after_seconds
    return BreakerEvent(name=breaker, was=was, now=now, reason="failure_rate", generation=int(at * 1e6), at=at)
