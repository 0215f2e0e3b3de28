"""What to do about a report: one rule a function, each with a limit that is stated, and none with a memory.

A rule speaks where its number is over its limit, and never where the number rests on so few cases that it says
nothing. docs/report.md tells them all.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from payments.failures import Permanent, category_of, kinds
from payments.flows.report.report import Recommendation, Report

NOW, SOON = "now", "soon"
_MINUTE = 60.0
_DAY = 86_400.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Where rules begin to speak: above each of these, or for the two rates of success, below."""

    error_share: float = 0.3
    """Of all errors, those of one type; not of fewer errors than `least_cases`."""
    openings: int = 3
    """Of one breaker within the window."""
    open_share: float = 0.1
    """Of the window, during which one breaker was open."""
    retry_success: float = 0.8
    """Of events with a failed attempt; not of fewer than `least_cases`."""
    replay_success: float = 0.5
    """Of replays that have ended; not of fewer than `least_replays`."""
    parked_seconds: float = _DAY
    wait_share: float = 0.5
    """Of the time that events waited, the part that rate limits took; not of fewer events than `least_cases`."""
    undecodable_share: float = 0.01
    """Of what ended, records that could not be read; not of fewer than `least_records`."""
    due_seconds: float = 5 * _MINUTE
    outbox_seconds: float = 5 * _MINUTE
    recovery_seconds: float = 10 * _MINUTE
    """For 95 of 100 events that had failed and took effect."""
    least_cases: int = 20
    least_replays: int = 10
    least_records: int = 5


Rule = Callable[[Report, Limits], Iterator[Recommendation]]


def recommendations(report: Report, limits: Limits) -> list[Recommendation]:
    """Return what to do about the report, the most urgent first, otherwise in the order of the rules."""
    found = [each for rule in RULES for each in rule(report, limits)]
    return sorted(found, key=lambda each: each.urgency != NOW)


def _critical(report: Report, _: Limits) -> Iterator[Recommendation]:
    number = report.dead_letters.critical
    if number:
        yield Recommendation(
            rule="critical_letters",
            urgency=NOW,
            found=f"{number:,} open dead letters are critical; the limit is 0",
            advice="Look at each: something may stand at a provider that is not booked. `payferry dlq list --json` "
            "names why, `payferry dlq show ID` tells every step.",
            link="docs/operations.md#dead-letters",
        )


def _unauthorized(report: Report, _: Limits) -> Iterator[Recommendation]:
    for each in report.errors.by_type:
        if each.failure_type == "unauthorized":
            yield Recommendation(
                rule="key_refused",
                urgency=NOW,
                found=f"{each.service} refused our key {each.errors:,} times; the limit is 0",
                advice=f"The key of {each.service} is wrong or has expired. Set a valid one, restart the workers, and "
                f"send back what died of it: `payferry dlq replay --service {each.service}`.",
                link="docs/configuration.md#where-the-providers-are-and-how-long-they-may-take",
            )


def _oldest_due(report: Report, limits: Limits) -> Iterator[Recommendation]:
    seconds = report.standing.oldest_due_seconds
    if seconds > limits.due_seconds:
        yield Recommendation(
            rule="work_is_overdue",
            urgency=NOW,
            found=f"an event has been due for {seconds:,.0f} s; the limit is {limits.due_seconds:,.0f} s",
            advice="Look whether workers and a beat run, and whether there are enough of them: `payferry top`.",
            link="docs/operations.md#events-come-in-and-do-not-end",
        )


def _outbox(report: Report, limits: Limits) -> Iterator[Recommendation]:
    seconds = report.standing.oldest_outbox_seconds
    if seconds > limits.outbox_seconds:
        yield Recommendation(
            rule="outbox_is_stuck",
            urgency=NOW,
            found=f"a message has waited {seconds:,.0f} s to be sent; the limit is {limits.outbox_seconds:,.0f} s",
            advice="Look at the log of the relays: does one run, and do the brokers take its messages?",
            link="docs/operations.md#the-outbox-grows",
        )


def _main_error(report: Report, limits: Limits) -> Iterator[Recommendation]:
    total, by_type = report.errors.errors, Counter[str]()
    for each in report.errors.by_type:
        by_type[each.failure_type] += each.errors
    for kind, number in by_type.most_common():
        if total >= limits.least_cases and number > limits.error_share * total:
            usual = f"Find out where it comes from. `payferry policies --failure {kind}` says what is done about it."
            yield Recommendation(
                rule="one_error_dominates",
                urgency=SOON,
                found=f"{kind} is {number / total:.1%} of {total:,} errors; the limit is {limits.error_share:.0%}",
                advice=_MENDED.get(kind, usual),
                link="docs/policies.md#keys-of-failures",
            )


_MENDED = {
    "process_crashed": "Workers died at work, or their leases ended. Look at their logs and their memory.",
    "undecodable": "Mend whoever sends these records. `payferry parse` says what is wrong with one.",
}
"""What to do about errors that no policy mends."""


def _rising(report: Report, limits: Limits) -> Iterator[Recommendation]:
    told = report.trend.errors
    if told.direction == "rising" and told.later >= limits.least_cases:
        yield Recommendation(
            rule="errors_rise",
            urgency=SOON,
            found=f"{told.later:,} errors in the later half of the window, {told.earlier:,} in the earlier",
            advice="Find out what began: the list of errors says when each was seen first.",
            link="docs/report.md#trend",
        )


def _flapping(report: Report, limits: Limits) -> Iterator[Recommendation]:
    for each in report.breakers.breakers if report.breakers else ():
        if each.openings > limits.openings:
            yield Recommendation(
                rule="breaker_keeps_opening",
                urgency=SOON,
                found=f"the breaker of {each.breaker} opened {each.openings:,} times; the limit is {limits.openings}",
                advice=f"{each.breaker} is up and down. Ask its operator; where it answers slowly at most times, give "
                "its breaker a higher limit.",
                link="docs/operations.md#breakers-limits-and-policies",
            )


def _long_open(report: Report, limits: Limits) -> Iterator[Recommendation]:
    for each in report.breakers.breakers if report.breakers else ():
        share = each.open_seconds / report.seconds
        if share > limits.open_share:
            yield Recommendation(
                rule="breaker_was_long_open",
                urgency=SOON,
                found=f"the breaker of {each.breaker} was open for {share:.1%} of the window; the limit is "
                f"{limits.open_share:.0%}",
                advice=f"Payments of {each.breaker} waited for so long. Ask its operator what happened; send what can "
                "go elsewhere to another provider.",
                link="docs/operations.md#breakers-limits-and-policies",
            )


def _retries(report: Report, limits: Limits) -> Iterator[Recommendation]:
    for each in report.recovery.by_failure_type:
        ended = each.events - each.unfinished
        if ended < limits.least_cases or not _is_retried(each.failure_type):
            continue
        share = each.took_effect / ended
        if share < limits.retry_success:
            yield Recommendation(
                rule="retries_fail",
                urgency=SOON,
                found=f"of {ended:,} events that met {each.failure_type} and have ended, {share:.1%} took effect; the "
                f"limit is {limits.retry_success:.0%}",
                advice=f"Give {each.failure_type} more retries or longer delays, or none where they never help: "
                f"`payferry policies --failure {each.failure_type}`.",
                link="docs/policies.md#changing-one",
            )


def _is_retried(failure_type: str | None) -> bool:
    kind = kinds().get(failure_type or "")
    return kind is not None and category_of(kind) != Permanent.kind


def _replays(report: Report, limits: Limits) -> Iterator[Recommendation]:
    told = report.recovery.replays
    ended = told.succeeded + told.failed
    if ended >= limits.least_replays and told.success_rate is not None and told.success_rate < limits.replay_success:
        yield Recommendation(
            rule="replays_fail",
            urgency=SOON,
            found=f"{told.success_rate:.1%} of {ended:,} replays went well; the limit is {limits.replay_success:.0%}",
            advice="Find out what they die of before more are sent back: `payferry dlq groups`. Stop beat meanwhile: "
            "`payferry dlq pause`.",
            link="docs/dead-letters.md#sending-back",
        )


def _parked(report: Report, limits: Limits) -> Iterator[Recommendation]:
    seconds = report.dead_letters.parked_seconds
    if seconds > limits.parked_seconds:
        yield Recommendation(
            rule="parked_unseen",
            urgency=SOON,
            found=f"a dead letter has been parked for {seconds / 3600:,.1f} h; the limit is "
            f"{limits.parked_seconds / 3600:,.0f} h",
            advice="Replay, mend or discard what is parked: `payferry dlq list --state parked`.",
            link="docs/dead-letters.md#giving-up-and-waiting-for-a-person",
        )


def _limited(report: Report, limits: Limits) -> Iterator[Recommendation]:
    total = sum(each.seconds for each in report.waits)
    limited = [each for each in report.waits if each.kind in _LIMITS]
    seconds, events = sum(each.seconds for each in limited), sum(each.events for each in limited)
    if events >= limits.least_cases and seconds > limits.wait_share * total:
        yield Recommendation(
            rule="limits_hold_work_up",
            urgency=SOON,
            found=f"rate limits took {seconds / total:.1%} of {total:,.0f} s that events waited; the limit is "
            f"{limits.wait_share:.0%}",
            advice="Where the limit is ours, raise it; where the provider asks for pauses, ask it for a higher one.",
            link="docs/policies.md#breakers-limits-budgets-velocities-fallbacks",
        )


_LIMITS = frozenset({"rate_limited", "rate_exceeded"})


def _undecodable(report: Report, limits: Limits) -> Iterator[Recommendation]:
    number, total = report.dead_letters.came_in_by_reason.get("undecodable", 0), report.totals.ended
    if number >= limits.least_records and number > limits.undecodable_share * total:
        yield Recommendation(
            rule="records_unreadable",
            urgency=SOON,
            found=f"{number:,} records could not be read, of {total:,} that ended; the limit is "
            f"{limits.undecodable_share:.0%}",
            advice="Find out who sends them: `payferry dlq list --reason undecodable`, and `payferry parse` for one.",
            link="docs/operations.md#the-bridge-has-paused-for-poison",
        )


def _slow_recovery(report: Report, limits: Limits) -> Iterator[Recommendation]:
    told = report.recovery.time_to_effect
    if told.events >= limits.least_cases and (told.p95_seconds or 0.0) > limits.recovery_seconds:
        yield Recommendation(
            rule="recovery_is_slow",
            urgency=SOON,
            found=f"5 of 100 events that had failed took {told.p95_seconds:,.0f} s or longer to take effect; the limit "
            f"is {limits.recovery_seconds:,.0f} s",
            advice="Find out what they waited for: a breaker, the delays of their policy (`payferry policies`), or, as "
            "dead letters, for their replay (`DLQ_REPLAY_SCHEDULE`).",
            link="docs/policies.md#keys-of-failures",
        )


RULES: tuple[Rule, ...] = (
    *(_critical, _unauthorized, _oldest_due, _outbox),
    *(_main_error, _rising, _flapping, _long_open, _retries, _replays, _parked, _limited, _undecodable),
    _slow_recovery,
)
