"""`payferry dlq replay`: a plan first, then a job, and somebody who watches it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from payments.event import Kind
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.switch import ReplaySwitch
from payments.resilience.exchange import Exchange, connect
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard
from tests.builders import an_event
from tests.integration.cli.dlq.conftest import Graveyard, Run
from workers.cli.operator import operator

JO = Actor("jo@host", "an audit")


@pytest.fixture
def _worked(graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody waits, a worker works on the latest job."""
    monkeypatch.setattr("workers.cli.dlq.watching.sleep", lambda _seconds: graveyard.work())


@pytest.fixture
def board(redis_url: str) -> Switchboard:
    """The fleet's breakers, where the command looks at them too."""
    line = connect(redis_url.rpartition("/")[0] + "/1")
    return Switchboard(Exchange(line, lambda *_, **__: None), {"default": BreakerPolicy()}, lambda *_, **__: None)


def plan_of(run: Run, *filters: str) -> dict[str, Any]:
    said = run("replay", "--dry-run", "--json", *filters)
    assert said.code == 0, said.err
    plan: dict[str, Any] = json.loads(said.out)["plan"]
    return plan


def test_a_plan_counts_by_reason_age_and_provider_and_changes_nothing(run: Run, graveyard: Graveyard) -> None:
    graveyard.pending("p1")
    graveyard.parked("p2")
    old = graveyard.undecodable()
    graveyard.database.run(
        "UPDATE dead_letters SET first_failed_at = now() - '3 days'::INTERVAL WHERE id = %(id)s", {"id": old}
    )
    before = graveyard.dump()
    plan = plan_of(run, "--all")
    assert (plan["letters"], plan["by_reason"]) == (3, {"http_400": 1, "http_503": 1, "undecodable": 1})
    assert plan["by_age"] == {"under a minute": 2, "under an hour": 0, "under a day": 0, "older": 1}
    assert plan["by_provider"] == {"paypal": 1, "stripe": 1, "unknown": 1}
    said = run("replay", "--all", "--dry-run")
    assert "2 under a minute, 1 older" in said.out
    assert said.err == "would send back 3 dead letters\n"
    assert graveyard.dump() == before


def test_a_plan_tells_what_an_open_breaker_holds_back(run: Run, graveyard: Graveyard, board: Switchboard) -> None:
    graveyard.pending("p1")
    graveyard.parked("p2")
    board.isolate("stripe")
    plan = plan_of(run, "--all")
    assert (plan["gates"], plan["held_by_breakers"]) == ({"stripe": "shut"}, 1)
    assert "its breaker is open" in run("replay", "--all", "--dry-run").out


def test_a_plan_tells_what_later_events_have_overtaken(run: Run, graveyard: Graveyard) -> None:
    graveyard.pending("p1")
    graveyard.pending("p2")
    graveyard.settle(an_event("evt_later", Kind.CAPTURED, "p1"))
    plan = plan_of(run, "--all")
    assert (plan["superseded"], plan["looked_at"]) == (1, 2)
    assert "1: a later event of the payment took effect" in run("replay", "--all", "--dry-run").out


def test_a_plan_tells_who_stands_behind_an_earlier_one_of_its_payment(run: Run, graveyard: Graveyard) -> None:
    first, second = graveyard.pending("p1", "evt_1"), graveyard.pending("p1", "evt_2")
    assert [plan_of(run, "--all")[name] for name in ("follow", "behind")] == [1, 0]
    assert [plan_of(run, "--id", str(second))[name] for name in ("follow", "behind")] == [0, 1]
    assert [plan_of(run, "--id", str(first))[name] for name in ("follow", "behind")] == [0, 0]


def test_a_plan_tells_how_long_it_takes_at_a_rate_or_at_the_velocities(
    run: Run, graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        graveyard.undecodable(b"bad %d" % number)
    monkeypatch.setenv("PAYFERRY_POLICY__REPLAY_VELOCITIES__DEFAULT__PER_SECOND", "0.5")
    monkeypatch.setenv("PAYFERRY_POLICY__REPLAY_VELOCITIES__DEFAULT__BURST", "1")
    assert plan_of(run, "--all")["seconds"] == 6.0
    assert plan_of(run, "--all", "--rate", "2/s")["seconds"] == 2.0


@pytest.mark.usefixtures("_worked")
def test_what_is_sent_back_is_watched_to_its_end(run: Run, graveyard: Graveyard) -> None:
    letters = [graveyard.pending("p1"), graveyard.parked("p2")]
    said = run("replay", "--all", "--json", "--why", "it is mended")
    told = json.loads(said.out)
    assert (said.code, told["plan"]["letters"], told["job"]["state"], told["job"]["sent"]) == (0, 2, "done", 2)
    assert (told["job"]["made_by"], told["job"]["why"]) == (operator(), "it is mended")
    assert "job 1 is done: of 2 dead letters 2 sent back" in said.err
    assert {graveyard.state(each) for each in letters} == {"replaying"}


@pytest.mark.usefixtures("_worked")
def test_what_a_gate_holds_back_is_counted_and_told(run: Run, graveyard: Graveyard) -> None:
    graveyard.pending("p1", "evt_1")
    second = graveyard.pending("p1", "evt_2")
    said = run("replay", "--id", str(second))
    assert said.code == 1
    assert "1 held back: an earlier dead letter of the same payment must go first" in said.err
    assert graveyard.state(second) == "pending"


def test_a_job_that_is_not_watched_goes_on_without(run: Run, graveyard: Graveyard, queued: Callable[[], int]) -> None:
    letter_id = graveyard.parked("p1")
    said = run("replay", "--id", str(letter_id), "--rate", "50/s", "--detach", "--json")
    told = json.loads(said.out)["job"]
    assert (said.code, told["state"], told["rate_per_second"]) == (0, "running", 50.0)
    assert "payferry dlq watch 1" in said.err
    assert queued() == 1


def test_ctrl_c_ends_the_watching_and_not_the_job(
    run: Run, graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workers.cli.dlq.watching.sleep", interrupt)
    graveyard.parked("p1")
    said = run("replay", "--all")
    assert said.code == 130
    assert "job 1 goes on: payferry dlq watch 1, or payferry dlq cancel 1" in said.err
    assert ReplayJobs(graveyard.database).latest()[0].state == "running"


def test_without_redis_the_job_waits_for_the_sweep(
    run: Run, graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from payments.failures import QueueAway  # noqa: PLC0415 - here alone

    def away(*_told: object, **_more: object) -> None:
        raise QueueAway("no answer", service="redis")

    monkeypatch.setattr("payments.wiring.call_task", away)
    graveyard.parked("p1")
    said = run("replay", "--all", "--detach")
    assert said.code == 0
    assert "the sweep starts the job" in said.err
    assert ReplayJobs(graveyard.database).latest()[0].state == "running"


def test_above_ten_a_person_is_asked(run: Run, graveyard: Graveyard) -> None:
    for number in range(11):
        graveyard.undecodable(b"bad %d" % number)
    refused = run("replay", "--all", "--detach", typed="n\n")
    assert (refused.code, ReplayJobs(graveyard.database).latest()) == (1, [])
    assert "Send back 11 dead letters? [y/N]" in refused.err
    assert "by reason" in refused.err
    assert run("replay", "--all", "--detach", typed="y\n").code == 0
    assert ReplayJobs(graveyard.database).latest()[0].total == 11


def test_up_to_ten_nobody_is(run: Run, graveyard: Graveyard) -> None:
    for number in range(10):
        graveyard.undecodable(b"bad %d" % number)
    assert run("replay", "--all", "--detach").code == 0


def test_filters_that_mean_none_are_no_failure(run: Run, graveyard: Graveyard) -> None:
    graveyard.set_aside(graveyard.parked("p1"), "resolved")
    said = run("replay", "--provider", "paypal")
    assert (said.code, said.out) == (0, "")
    assert said.err == "nothing to replay: no pending or parked dead letter is meant\n"
    assert json.loads(run("replay", "--provider", "paypal", "--json").out)["job"] is None


def test_what_is_due_is_queued_as_one_run_of_beat(run: Run, graveyard: Graveyard, queued: Callable[[], int]) -> None:
    before = graveyard.dump()
    assert json.loads(run("replay", "--due", "--json").out) == {"queued": True}
    assert queued() == 1
    assert graveyard.dump() == before


def test_what_is_due_can_be_sent_back_from_here(run: Run, graveyard: Graveyard) -> None:
    due, later = graveyard.pending("p1"), graveyard.pending("p2")
    graveyard.database.run("UPDATE dead_letters SET next_replay_at = now() WHERE id = %(id)s", {"id": due})
    before = graveyard.dump()
    dry = run("replay", "--due", "--dry-run", "--json")
    assert json.loads(dry.out) == {"due": {"stripe": 1}, "batch_size": 100, "dry_run": True}
    assert graveyard.dump() == before
    said = run("replay", "--due", "--here", "--json")
    assert json.loads(said.out) == {"sent": 1, "superseded": 0, "refused": 0, "queued": False}
    assert [graveyard.state(each) for each in (due, later)] == ["replaying", "pending"]


@pytest.mark.parametrize("way", [(), ("--here",)])
def test_while_beat_is_paused_nothing_that_is_due_is_sent(run: Run, graveyard: Graveyard, way: tuple[str, ...]) -> None:
    ReplaySwitch(graveyard.database).turn(JO, is_paused=True)
    before = graveyard.dump()
    said = run("replay", "--due", *way)
    assert said.code == 1
    assert "by jo@host" in said.err
    assert "payferry dlq resume" in said.err
    assert graveyard.dump() == before


def test_a_watched_job_that_somebody_cancels_ends_with_1(run: Run, graveyard: Graveyard) -> None:
    graveyard.parked("p1")
    jobs = ReplayJobs(graveyard.database)
    job = jobs.make(Choice(), JO)
    assert job is not None
    assert jobs.steer(job.id, JO, to="cancelled", only_from=("running",))
    said = run("watch", str(job.id), "--json")
    assert (said.code, json.loads(said.out)["job"]["state"]) == (1, "cancelled")
    assert "job 1 is cancelled: of 1 dead letter nothing sent back" in said.err


def test_a_job_that_no_worker_takes_up_is_worth_a_word(
    run: Run, graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = ReplayJobs(graveyard.database)
    graveyard.parked("p1")
    job = jobs.make(Choice(), JO)
    assert job is not None
    looks = iter(range(10))

    def wait(_seconds: float) -> None:
        if next(looks) == 1:
            jobs.steer(job.id, JO, to="cancelled", only_from=("running",))

    monkeypatch.setattr("workers.cli.dlq.watching.sleep", wait)
    monkeypatch.setattr("workers.cli.dlq.watching._PATIENCE_SECONDS", -1.0)
    said = run("watch", str(job.id))
    assert said.err.count("does one serve the queue dead-letters?") == 1
    assert said.code == 1
