"""`payferry dlq jobs`, `pause`, `resume` and `cancel`: stopping what replays, and letting it go on."""

import json
from collections.abc import Callable

import pytest

from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import Job, ReplayJobs
from payments.ledger.dead_letters.switch import ReplaySwitch
from tests.integration.cli.dlq.conftest import Graveyard, Run
from workers.cli.operator import operator


@pytest.fixture
def jobs(graveyard: Graveyard) -> ReplayJobs:
    return ReplayJobs(graveyard.database)


@pytest.fixture
def job(graveyard: Graveyard, jobs: ReplayJobs) -> Job:
    """A running job that nobody has taken up."""
    graveyard.parked("p1")
    made = jobs.make(Choice(provider="paypal", states=("pending", "parked")), Actor("jo@host", "it is mended"))
    assert made is not None
    return made


def audit(graveyard: Graveyard) -> list[tuple[object, ...]]:
    return graveyard.database.rows("SELECT job_id, who, what, why FROM dead_letter_audit WHERE letter_id IS NULL")


def test_jobs_are_listed_with_what_they_were_made_of(run: Run, job: Job, jobs: ReplayJobs) -> None:
    out = run("jobs").out
    assert "jo@host" in out
    assert "--provider paypal --state pending,parked" in out
    jobs.make(Choice(), Actor("jo@host"))
    told = json.loads(run("jobs", "--json", "--limit", "1").out)
    assert ([each["id"] for each in told["jobs"]], told["more"]) == ([job.id + 1], True)
    assert "1 jobs shown" not in run("jobs").out


def test_no_jobs_are_told_as_such(run: Run, graveyard: Graveyard) -> None:
    assert run("jobs").out == "no jobs\n"
    assert json.loads(run("jobs", "--json").out) == {"jobs": [], "more": False}
    assert not graveyard.dump()["replay_jobs"]


def test_a_job_is_paused_goes_on_and_is_cancelled(
    run: Run, job: Job, jobs: ReplayJobs, queued: Callable[[], int], graveyard: Graveyard
) -> None:
    number = str(job.id)
    assert json.loads(run("pause", "--job", number, "--why", "lunch", "--json").out)["job"]["state"] == "paused"
    assert json.loads(run("resume", "--job", number, "--json").out)["job"]["state"] == "running"
    assert queued() == 1
    dry = run("cancel", number, "--dry-run")
    assert (dry.code, dry.err) == (0, "would cancel job 1, which has sent back 0 of 1 dead letter\n")
    assert run("cancel", number, typed="n\n").code == 1
    assert (found := jobs.find(job.id)) is not None
    assert found.state == "running"
    assert (
        json.loads(run("cancel", number, "--yes", "--json", "--why", "wrong ones").out)["job"]["state"] == "cancelled"
    )
    assert audit(graveyard) == [
        (job.id, operator(), "paused", "lunch"),
        (job.id, operator(), "running", None),
        (job.id, operator(), "cancelled", "wrong ones"),
    ]


def test_what_beat_replays_is_paused_and_goes_on(run: Run, graveyard: Graveyard) -> None:
    switch = ReplaySwitch(graveyard.database)
    told = json.loads(run("pause", "--why", "the provider asked", "--json").out)
    assert (told["paused"], told["switch"]["why"]) == (True, "the provider asked")
    assert switch.is_paused
    assert run("resume").code == 0
    assert not switch.is_paused


@pytest.mark.parametrize(
    ("state", "words", "line"),
    [
        ("running", ("resume", "--job"), "job 1 is running; only a paused one can be resumed"),
        ("paused", ("pause", "--job"), "job 1 is paused; only a running one can be paused"),
        ("cancelled", ("resume", "--job"), "job 1 is cancelled; only a paused one can be resumed"),
        ("cancelled", ("pause", "--job"), "job 1 is cancelled; only a running one can be paused"),
        ("cancelled", ("cancel",), "job 1 is cancelled already, so there is nothing to cancel"),
    ],
)
def test_a_job_in_the_wrong_state_is_left_alone_and_its_state_named(
    run: Run, job: Job, jobs: ReplayJobs, graveyard: Graveyard, state: str, words: tuple[str, ...], line: str
) -> None:
    if state != "running":
        assert jobs.steer(job.id, Actor("jo@host"), to=state, only_from=("running",))
    before = graveyard.dump()
    said = run(*words, str(job.id))
    assert (said.code, said.out, said.err) == (1, "", f"payferry: {line}\n")
    assert graveyard.dump() == before


def test_the_switch_is_not_turned_twice(run: Run, graveyard: Graveyard) -> None:
    assert "not paused, so there is nothing to resume" in run("resume").err
    ReplaySwitch(graveyard.database).turn(Actor("jo@host", "an audit"), is_paused=True)
    before = graveyard.dump()
    said = run("pause", "--why", "another")
    assert said.code == 1
    assert "by jo@host (an audit)" in said.err
    assert graveyard.dump() == before
