"""Every rule speaks just above its limit and is silent at it, and sends the reader to a place that exists."""

import re
from pathlib import Path

import msgspec
import pytest

from payments.flows.report.advice import RULES, Limits, recommendations
from payments.flows.report.report import Direction, ReplayOutcome, Report
from payments.ledger.reports.recovery import Time
from payments.ledger.reports.standing import Wait
from tests.reports import a_breaker, a_type, an_outcome, busy, changed, quiet

DOCS = Path(__file__).parents[5]


def errors(*types: tuple[str, int]) -> Report:
    told = changed(quiet(), "errors.errors", sum(number for _, number in types))
    return changed(told, "errors.by_type", tuple(a_type(name, number) for name, number in types))


def rising(later: int) -> Report:
    return changed(quiet(), "trend.errors", Direction(direction="rising", earlier=0, later=later))


def replays(succeeded: int, failed: int) -> Report:
    rate = succeeded / (succeeded + failed)
    told = ReplayOutcome(sent=50, succeeded=succeeded, failed=failed, success_rate=rate)
    return changed(quiet(), "recovery.replays", told)


def waits(limited_seconds: float, others_seconds: float, events: int = 20) -> Report:
    limited = Wait(kind="rate_exceeded", events=events, seconds=limited_seconds)
    return changed(quiet(), "waits", (limited, Wait(kind="circuit_open", events=1, seconds=others_seconds)))


def unreadable(number: int, ended: int) -> Report:
    told = changed(quiet(), "dead_letters.came_in_by_reason", {"undecodable": number})
    return changed(told, "totals.ended", ended)


def recovered(events: int, p95_seconds: float) -> Report:
    told = Time(events=events, mean_seconds=1.0, p50_seconds=1.0, p95_seconds=p95_seconds)
    return changed(quiet(), "recovery.time_to_effect", told)


def outcome(failure_type: str, events: int, took_effect: int, unfinished: int = 0) -> Report:
    told = (an_outcome(failure_type, events, took_effect, unfinished),)
    return changed(quiet(), "recovery.by_failure_type", told)


SPEAKING = [
    ("critical_letters", changed(quiet(), "dead_letters.critical", 1)),
    ("key_refused", errors(("unauthorized", 1))),
    ("work_is_overdue", changed(quiet(), "standing.oldest_due_seconds", 300.1)),
    ("outbox_is_stuck", changed(quiet(), "standing.oldest_outbox_seconds", 300.1)),
    ("one_error_dominates", errors(("connect_timeout", 31), ("deadlock", 30), ("bad_request", 20), ("not_found", 19))),
    ("errors_rise", rising(20)),
    ("breaker_keeps_opening", changed(quiet(), "breakers", a_breaker(openings=4))),
    ("breaker_was_long_open", changed(quiet(), "breakers", a_breaker(openings=1, open_seconds=360.1))),
    ("retries_fail", outcome("connect_timeout", 100, 79)),
    ("retries_fail", outcome("connect_timeout", 30, 15, unfinished=10)),
    ("replays_fail", replays(4, 6)),
    ("parked_unseen", changed(quiet(), "dead_letters.parked_seconds", 86_400.1)),
    ("limits_hold_work_up", waits(50.1, 50.0)),
    ("records_unreadable", unreadable(6, 599)),
    ("recovery_is_slow", recovered(20, 600.1)),
]

SILENT = [
    quiet(),
    changed(quiet(), "standing.oldest_due_seconds", 300.0),
    changed(quiet(), "standing.oldest_outbox_seconds", 300.0),
    errors(("connect_timeout", 30), ("deadlock", 30), ("bad_request", 20), ("not_found", 20)),
    errors(("connect_timeout", 19)),  # too few
    rising(19),
    changed(quiet(), "trend.errors", Direction(direction="falling", earlier=99, later=20)),
    changed(quiet(), "breakers", a_breaker(openings=3, open_seconds=360.0)),
    changed(quiet(), "breakers", None),
    outcome("connect_timeout", 100, 80),
    outcome("connect_timeout", 29, 1, unfinished=10),  # too few have ended
    outcome("connect_timeout", 100, 30, unfinished=70),  # all that have ended took effect
    outcome("bad_request", 100, 0),  # nobody retries it
    replays(5, 5),
    replays(0, 9),
    changed(quiet(), "dead_letters.parked_seconds", 86_400.0),
    waits(50.0, 50.0),
    waits(90.0, 10.0, events=19),
    unreadable(6, 600),
    unreadable(4, 4),
    recovered(20, 600.0),
    recovered(19, 900.0),
]


@pytest.mark.parametrize(("rule", "report"), SPEAKING)
def test_a_rule_speaks_above_its_limit_and_no_other_does(rule: str, report: Report) -> None:
    assert {each.rule for each in recommendations(report, Limits())} == {rule}


@pytest.mark.parametrize("report", SILENT)
def test_a_rule_is_silent_at_its_limit(report: Report) -> None:
    assert recommendations(report, Limits()) == []


def test_every_rule_is_seen_to_speak() -> None:
    spoken = [rule for rule in RULES if any(list(rule(report, Limits())) for _, report in SPEAKING)]
    assert spoken == list(RULES)


def test_what_is_urgent_comes_first() -> None:
    urgencies = [each.urgency for each in busy().recommendations]
    assert urgencies == sorted(urgencies, key=["now", "soon"].index)
    assert set(urgencies) == {"now", "soon"}


@pytest.mark.parametrize(("rule", "report"), SPEAKING)
def test_advice_names_its_numbers_and_a_section_that_exists(rule: str, report: Report) -> None:
    [told] = recommendations(report, Limits())
    assert re.search(r"\d", told.found), rule
    assert all(msgspec.structs.astuple(told))
    file, _, anchor = told.link.partition("#")
    heads = re.findall(r"^#+ (.+)$", (DOCS / file).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_limits_are_those_that_are_told() -> None:
    report = changed(quiet(), "standing.oldest_due_seconds", 10.0)
    assert [each.rule for each in recommendations(report, Limits(due_seconds=9.0))] == ["work_is_overdue"]
