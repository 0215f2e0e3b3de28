"""What the monitor finds, from surveys made by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.ledger.bridge_pauses import Pause
from payments.ledger.census import OutboxDepth
from payments.resilience.breaker_state import BreakerView
from tests.surveys import NOW, a_breaker, a_fleet, a_ledger, a_process, a_survey, dead_letters
from workers.monitor.finding import Finding, Memory, Status
from workers.monitor.survey import KafkaSeen, ResilienceSeen, Survey
from workers.monitor.verdict import VerdictPolicy, judge

POLICY = VerdictPolicy(
    required_roles=("bridge", "worker", "beat", "relay"), schedules={"sweep": "1", "replay": "0 3 * * *"}
)


PAUSE = Pause(
    topic="payments.raw",
    group_id="g",
    reason="poison",
    bad=300,
    looked_at=500,
    paused_by="bridge@box",
    paused_at=NOW - timedelta(seconds=70),
)


def found(survey: Survey) -> tuple[Status, list[tuple[str, str]]]:
    """Return the status, and what was found about what."""
    verdict = judge(survey, POLICY)
    return verdict.status, [(each.what, each.subject) for each in verdict.findings]


def only(survey: Survey) -> Finding:
    [finding] = judge(survey, POLICY).findings
    return finding


def breakers(*views: BreakerView) -> ResilienceSeen:
    return ResilienceSeen(breakers=views, budgets_used={}, limits_per_second={}, limits_used={})


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_where_all_is_well_nothing_is_found() -> None:
    assert found(a_survey()) == (Status.HEALTHY, [])


def test_without_postgresql_nothing_flows() -> None:
    survey = a_survey(ledger=None, ended=None, dead_letters=None, unread={"ledger": "refused"})
    assert found(survey) == (Status.UNHEALTHY, [("server_away", "postgresql")])
    assert only(survey).cause == "PostgreSQL does not answer the monitor: refused"


@pytest.mark.parametrize(("part", "server"), [("queues", "redis"), ("kafka", "kafka"), ("fleet", "shared_state")])
def test_without_redis_or_kafka_it_is_degraded_and_nothing_is_concluded_from_what_is_unknown(
    part: str, server: str
) -> None:
    assert found(a_survey(**{part: None})) == (Status.DEGRADED, [("server_away", server)])


@pytest.mark.parametrize("role", ["bridge", "worker", "beat", "relay"])
def test_a_frozen_process_that_is_the_only_one_of_its_role_is_named(role: str) -> None:
    survey = a_survey(fleet=a_fleet(a_process(role, seen_seconds=8.5)))
    assert found(survey) == (Status.UNHEALTHY, [("role_down", role)])
    assert only(survey).cause.startswith(f"no {role} makes progress: {role}@box: no sign of life for 8 s")
    assert only(survey).since == ago(8.5)


def test_a_process_whose_loop_stands_still_is_named_with_its_troubles() -> None:
    stuck = a_process(
        "bridge", stuck="its main loop stands still", turned_seconds=20.0, troubles={"database away": 9.0}
    )
    survey = a_survey(fleet=a_fleet(stuck))
    assert found(survey) == (Status.UNHEALTHY, [("role_down", "bridge")])
    assert only(survey).cause == "no bridge makes progress: bridge@box: its main loop stands still (database away)"
    assert only(survey).since == ago(21.0)


@pytest.mark.parametrize(("lost", "word"), [({"seen_seconds": 60.0}, "silent"), ({"stuck": "still"}, "stuck")])
def test_a_lost_process_beside_others_that_live_degrades(lost: dict[str, Any], word: str) -> None:
    fleet = a_fleet(a_process("worker", "worker.1@box", **lost), a_process("worker", "worker.2@box"))
    assert found(a_survey(fleet=fleet)) == (Status.DEGRADED, [(f"process_{word}", "worker.1@box")])


def test_a_role_that_is_not_required_only_degrades() -> None:
    assert found(a_survey(fleet=a_fleet(a_process("api", seen_seconds=9.0))))[0] is Status.DEGRADED


def test_a_required_role_without_any_process_is_missed_at_once_and_badly_after_a_while() -> None:
    assert found(a_survey(fleet=a_fleet(absent={"beat": 10.0}))) == (Status.DEGRADED, [("role_absent", "beat")])
    assert found(a_survey(fleet=a_fleet(absent={"beat": 10.1}))) == (Status.UNHEALTHY, [("role_absent", "beat")])


def test_the_trouble_of_a_process_is_named() -> None:
    survey = a_survey(fleet=a_fleet(a_process("bridge", troubles={"database away": 4.0})))
    assert found(survey) == (Status.DEGRADED, [("process_trouble", "bridge@box database away")])
    assert only(survey).cause == "bridge bridge@box: database away for 4 s"
    assert only(survey).since == ago(5.0)


def test_a_pause_for_poison_is_told_once_for_all_bridges() -> None:
    fleet = a_fleet(a_process("bridge", troubles={"poison": 70.0}))
    survey = a_survey(ledger=a_ledger(poison_pause=PAUSE), fleet=fleet)
    assert found(survey) == (Status.DEGRADED, [("bridge_poisoned", "payments.raw")])
    assert "300 of the last 500 records" in only(survey).cause


def worked(still_seconds: float) -> Any:  # noqa: ANN401 - a process
    return a_process("worker", f"worker.{still_seconds:g}@box", numbers={"payments_still_seconds": still_seconds})


@pytest.mark.parametrize(("due_seconds", "expected"), [(60.0, []), (60.1, [("work_late", "inbox")])])
def test_work_that_is_due_for_a_minute_is_late(due_seconds: float, expected: list[tuple[str, str]]) -> None:
    ledger = a_ledger(oldest_due_seconds=due_seconds)
    status, findings = found(a_survey(ledger=ledger, fleet=a_fleet(worked(100.0), worked(1.0))))
    assert findings == expected
    assert status is (Status.DEGRADED if expected else Status.HEALTHY)


def test_work_that_no_worker_takes_is_worse_than_late() -> None:
    survey = a_survey(ledger=a_ledger(oldest_due_seconds=90.0), fleet=a_fleet(worked(61.0), worked(80.0)))
    assert found(survey) == (Status.UNHEALTHY, [("work_neglected", "inbox")])
    assert only(survey).cause == "an event has been due for 90 s, and no worker has begun or ended a payment for 61 s"


@pytest.mark.parametrize("state", ["open", "half_open"])
def test_a_breaker_that_is_not_closed_is_named_with_the_moment_of_its_change(state: str) -> None:
    opened = datetime(2026, 1, 5, 11, 59, tzinfo=UTC)
    view = a_breaker("stripe", state, generation=int(opened.timestamp() * 1_000_000), until_seconds=12.0)
    survey = a_survey(resilience=breakers(a_breaker("paypal"), view))
    assert found(survey) == (Status.DEGRADED, [("breaker_open", "stripe")])
    assert only(survey).since == opened


@pytest.mark.parametrize(("oldest_seconds", "status"), [(60.0, Status.HEALTHY), (61.0, Status.DEGRADED)])
def test_an_outbox_that_does_not_empty_degrades(oldest_seconds: float, status: Status) -> None:
    outbox = OutboxDepth(waiting=9, refused=0, oldest_seconds=oldest_seconds)
    assert found(a_survey(ledger=a_ledger(outbox=outbox)))[0] is status


@pytest.mark.parametrize(
    ("slot", "age_seconds", "up_seconds", "late"),
    [
        ("sweep", 61.0, 86_400.0, False),
        ("sweep", 63.0, 86_400.0, True),
        ("sweep", 3600.0, 30.0, False),  # beat is only just up
        ("replay", 9 * 3600.0 - 1, 86_400.0, False),  # taken at three in the morning
        ("replay", 10 * 3600.0, 86_400.0, True),  # at two: the one of three is missing
        ("replay", 10 * 3600.0, 3600.0, False),  # but beat was not there
        ("unknown", 10 * 3600.0, 86_400.0, False),
    ],
)
def test_a_tick_is_late_by_its_schedule_and_only_where_beat_was_there(
    slot: str, age_seconds: float, up_seconds: float, *, late: bool
) -> None:
    survey = a_survey(
        ledger=a_ledger(slot_ages={slot: age_seconds}), fleet=a_fleet(a_process("beat", up_seconds=up_seconds))
    )
    assert found(survey)[1] == ([("slot_late", slot)] if late else [])


def test_critical_dead_letters_call_for_a_person() -> None:
    told = dead_letters(critical=3, by_failure_type={"compensation_failed": 2})
    assert found(a_survey(dead_letters=told)) == (Status.DEGRADED, [("dead_letters_critical", "dead letters")])
    assert "3 dead letters, 2 because" in only(a_survey(dead_letters=told)).cause


def test_the_worst_comes_first() -> None:
    survey = a_survey(kafka=None, fleet=a_fleet(a_process("worker", seen_seconds=20.0)))
    assert found(survey) == (Status.UNHEALTHY, [("role_down", "worker"), ("server_away", "kafka")])


def test_a_finding_keeps_the_moment_at_which_it_was_first_seen_until_it_is_gone() -> None:
    memory = Memory()

    def since(minute: int, survey: Survey) -> list[datetime]:
        taken_at = NOW + timedelta(minutes=minute)
        verdict = memory.recall(judge(Survey(**{**_fields(survey), "taken_at": taken_at}), POLICY))
        return [each.since for each in verdict.findings]

    assert since(0, a_survey(kafka=None)) == [NOW]
    assert since(1, a_survey(kafka=None)) == [NOW]
    assert since(2, a_survey()) == []
    assert since(3, a_survey(kafka=None)) == [NOW + timedelta(minutes=3)]


def _fields(survey: Survey) -> dict[str, Any]:
    return {name: getattr(survey, name) for name in Survey.__struct_fields__}


@pytest.mark.parametrize(
    ("untaken_seconds", "told", "expected"),
    [
        (60.0, {}, []),
        (60.1, {}, [("records_untaken", "payments.raw")]),
        (600.0, {"ledger": a_ledger(poison_pause=PAUSE)}, [("bridge_poisoned", "payments.raw")]),
    ],
    ids=["a minute", "longer", "paused"],
)
def test_records_that_no_bridge_takes_degrade_unless_a_pause_says_why(
    untaken_seconds: float, told: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    kafka = KafkaSeen(topic="payments.raw", lag={0: 9}, untaken_seconds=untaken_seconds)
    found = judge(a_survey(kafka=kafka, **told), POLICY).findings
    assert [(each.what, each.subject) for each in found] == expected
