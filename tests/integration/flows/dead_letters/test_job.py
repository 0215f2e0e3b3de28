import threading
import time
from typing import Any

import pytest

from payments.event import Provider
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.job import work_on_job
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import Job, Progress
from payments.resilience.switchboard import Switchboard
from tests.integration.flows.conftest import MakeDesk, Queue, policies_with
from tests.integration.flows.dead_letters.conftest import MakeReplayDesk
from tests.integration.flows.dead_letters.letters import bury_many, letters, requested

JO = Actor("jo@desk", "the provider is well again")


def made(replayer: ReplayDesk, choice: Choice | None = None, rate: float | None = None) -> Job:
    job = replayer.jobs.make(choice or Choice(), JO, rate)
    assert job is not None
    return job


def work(replayer: ReplayDesk, job: Job) -> Job:
    """Work on the job until it is done or waits for more than a moment; return how it stands."""
    for _ in range(100):
        if work_on_job(replayer, job.id) != "passed on":
            break
        stands = replayer.jobs.find(job.id)
        assert stands is not None
        if stands.waits_for is not None and "breaker" in stands.waits_for:
            break
    found = replayer.jobs.find(job.id)
    assert found is not None
    return found


def states(database: Database) -> dict[str, int]:
    return dict(database.rows("SELECT state::TEXT, count(*) FROM dead_letters GROUP BY 1"))


def test_a_job_sends_back_all_that_was_chosen_and_nothing_else(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(20)))
    bury_many(make_desk, database, *(requested(f"q{number}", provider=Provider.PAYPAL) for number in range(5)))
    job = work(replayer, made(replayer, Choice(provider="stripe")))
    assert (job.state, job.total, job.sent, job.held) == ("done", 20, 20, 0)
    assert database.rows("SELECT DISTINCT provider FROM dead_letters WHERE state = 'replaying'") == [("stripe",)]
    assert len(queue.sent) == 20


def test_a_job_of_nothing_is_none(replayer: ReplayDesk) -> None:
    assert replayer.jobs.make(Choice(), JO) is None


def test_what_dies_again_is_not_sent_twice_by_one_job(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    desk = bury_many(make_desk, database, *(requested(f"p{number}") for number in range(6)), failing=10)
    job = made(replayer)
    assert replayer.jobs.take_up(job.id, 0.0) is not None
    work(replayer, job)
    for inbox_id, _ in list(queue.sent):
        process(desk, inbox_id)
    assert states(database) == {"pending": 6}
    database.run("UPDATE replay_jobs SET state = 'running', ended_at = NULL")
    assert work(replayer, job).sent == 6
    assert letters(database, "replay_count") == [(1,)] * 6


def test_what_dies_after_the_decision_is_not_part_of_it(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, requested("p1"))
    job = made(replayer)
    bury_many(make_desk, database, requested("p2"))
    assert work(replayer, job).sent == 1
    assert letters(database) == [("evt_p1", "replaying"), ("evt_p2", "pending")]


def test_a_job_waits_while_the_breaker_is_open_and_goes_on_when_it_has_closed(
    make_desk: MakeDesk, replayer: ReplayDesk, switchboard: Switchboard, database: Database, started: list[Any]
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(3)))
    side: Any = switchboard.breaker("stripe").side
    side.trip()
    job = work(replayer, made(replayer))
    assert (job.state, job.sent, job.waits_for) == ("running", 0, "the breaker of stripe")
    assert started[-1][0] == job.id
    assert started[-1][1] >= 0.5
    side.reset()
    database.run("UPDATE replay_jobs SET lease_until = now()")
    assert (work(replayer, job).state, states(database)) == ("done", {"replaying": 3})


def test_a_half_open_breaker_gets_one_canary_from_a_job(
    make_desk: MakeDesk, replayer: ReplayDesk, switchboard: Switchboard, database: Database
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(3)))
    side: Any = switchboard.breaker("stripe").side
    side.trip()
    side._until_us = 0  # noqa: SLF001 - its time is over
    job = work(replayer, made(replayer))
    assert (job.state, job.sent, states(database)) == ("running", 1, {"pending": 2, "replaying": 1})


def test_what_a_gate_holds_back_for_good_is_told(make_desk: MakeDesk, replayer: ReplayDesk, database: Database) -> None:
    """The earlier one of the payment is pending, and not part of the job."""
    bury_many(make_desk, database, requested("p1", "evt_1"))
    bury_many(make_desk, database, requested("p1", "evt_2"))
    job = work(replayer, made(replayer, Choice(ids=(2,))))
    assert (job.state, job.total, job.sent, job.held) == ("done", 1, 0, 1)


def test_both_letters_of_a_payment_go_in_one_job(make_desk: MakeDesk, replayer: ReplayDesk, database: Database) -> None:
    bury_many(make_desk, database, requested("p1", "evt_1"))
    bury_many(make_desk, database, requested("p1", "evt_2"))
    job = work(replayer, made(replayer))
    assert (job.state, job.sent, job.held) == ("done", 2, 0)


@pytest.mark.parametrize(("to", "sent"), [("paused", 0), ("cancelled", 0)])
def test_a_job_that_is_stopped_sends_nothing_more(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database, to: str, sent: int
) -> None:
    bury_many(make_desk, database, requested("p1"))
    job = made(replayer)
    assert replayer.jobs.steer(job.id, JO, to=to, only_from=("running",))
    assert work_on_job(replayer, job.id) == "not ours"
    assert work(replayer, job).sent == sent
    assert database.row(
        "SELECT job_id, who, what, before ->> 'state' FROM dead_letter_audit WHERE job_id IS NOT NULL"
    ) == (*(job.id, "jo@desk", to, "running"),)


def test_a_round_of_a_worker_that_was_overtaken_leaves_nothing_behind(
    make_desk: MakeDesk, replayer: ReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, requested("p1"))
    job = made(replayer)
    old = replayer.jobs.take_up(job.id, 0.0)
    assert old is not None
    new = replayer.jobs.take_up(job.id, 60.0)
    assert new is not None
    with database.transaction() as connection:
        assert not replayer.jobs.note(connection, old, Progress(cursors={}, sent=1), 10.0)
    with database.transaction() as connection:
        assert replayer.jobs.note(connection, new, Progress(cursors={}, sent=1), 10.0)


def test_a_job_whose_worker_died_is_found_and_goes_on_where_it_was(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(10)))

    def die(_calls: object, _delay: object = None) -> None:
        raise SystemExit

    class Dying:
        send = staticmethod(die)

    replayer = make_replay_desk(round_size=4, wakeups=Dying())
    job = made(replayer)
    with pytest.raises(SystemExit):
        work_on_job(replayer, job.id)
    assert replayer.jobs.stranded(0.0) == []
    database.run("UPDATE replay_jobs SET lease_until = now() - '4 s'::INTERVAL")
    assert replayer.jobs.stranded(3.0) == [job.id]
    again = work(make_replay_desk(round_size=4), job)
    assert (again.state, again.sent, states(database)) == ("done", 10, {"replaying": 10})
    assert letters(database, "replay_count") == [(1,)] * 10


def test_many_who_work_on_one_job_send_each_letter_once(
    make_desk: MakeDesk, replayer: ReplayDesk, queue: Queue, database: Database
) -> None:
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(50)))
    job = made(replayer)
    threads = [threading.Thread(target=work_on_job, args=(replayer, job.id)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queue.sent) == len(set(queue.sent)) == 50
    assert letters(database, "replay_count") == [(1,)] * 50


def test_a_job_keeps_to_the_rate_that_it_was_given(
    make_desk: MakeDesk, make_replay_desk: MakeReplayDesk, database: Database
) -> None:
    replayer = make_replay_desk(policies=policies_with(replay_velocities__default__per_second=1))
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(60)))
    job = made(replayer, rate=40.0)
    began = time.monotonic()
    assert work(replayer, job).sent == 60
    assert 60 / 40 * 0.95 <= time.monotonic() - began <= 60 / 40 * 1.4
