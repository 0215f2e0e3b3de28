"""How fast dead letters go back: at a rate that is set, and as fast as one worker can with all gates open.

    python -m benchmarks.replay_rate [--count 100000]

prints the rate of each job in letters a second, and by how much it misses the one that was set. The jobs are worked on
in this process, one after the other, on a PostgreSQL and a Valkey of their own; wake-ups are really queued, and nobody
works them off.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec

from benchmarks.graveyard import fill
from config.policies import Leaf, told_policies
from config.settings import load_settings
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.job import work_on_job
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import OPEN, Choice
from payments.ledger.dead_letters.jobs import Job
from payments.ledger.schema import migrate
from payments.policy_check import load_policies
from payments.wiring import Wiring
from tests.celery_app import queue_app
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey
from workers.logs import configure_logs

_SET_RATES = {500.0: 20.0, 1500.0: 10.0}
"""Letters a second → for how many seconds."""

_BENCHMARK = Actor("benchmark")


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    given = parser.parse_args()
    configure_logs(load_settings().log)
    with Postgres() as postgres, Valkey() as valkey:
        migrate(postgres.url)
        fill(postgres.url, given.count)
        measure(postgres.url, valkey.url)


def measure(database_url: str, broker_url: str) -> None:
    """Send back what the ledger at `database_url` holds, and print how that went."""
    with desk_on(database_url, broker_url) as desk:
        told = [_at_rate(desk, rate, seconds) for rate, seconds in _SET_RATES.items()]
        print(json.dumps({"at_rate": told, "as_fast_as_it_goes": _all(desk)}))


@contextmanager
def desk_on(database_url: str, broker_url: str) -> Iterator[ReplayDesk]:
    """Yield the desk of a replayer without limits, who waits where others leave a job to a later message."""
    settings = load_settings()
    settings.database = settings.database.model_copy(update={"url": database_url})
    settings.redis = settings.redis.model_copy(update={"url": broker_url})
    wiring = Wiring(settings)
    no_limit = {("replay_velocities", "default", "per_second"): Leaf(0, "this benchmark")}
    wiring.policies = load_policies(told_policies(settings) | no_limit)
    with closing(queue_app(broker_url)) as app, closing(wiring.database):
        yield msgspec.structs.replace(wiring.replay_desk(app), start_job=lambda _job_id, seconds: time.sleep(seconds))


def _at_rate(desk: ReplayDesk, rate: float, seconds: float) -> dict[str, float]:
    """Work on a job with a rate for some seconds, and stop it."""
    job = _made(desk, rate)
    took = _work(desk, job, seconds)
    desk.jobs.steer(job.id, _BENCHMARK, to="cancelled", only_from=("running",))
    found = _found(desk, job)
    reached = found.sent / took
    return {"rate": rate, "reached": reached, "off_percent": 100 * (reached / rate - 1), "refused": found.refused}


def _all(desk: ReplayDesk) -> dict[str, Any]:
    """Send back all that are left."""
    job = _made(desk, None)
    took = _work(desk, job, 600.0)
    done = _found(desk, job)
    return {"letters": done.decided, "held": done.held, "seconds": took, "per_second": done.decided / took}


def _made(desk: ReplayDesk, rate: float | None) -> Job:
    job = desk.jobs.make(Choice(states=OPEN), _BENCHMARK, rate)
    assert job is not None
    return job


def _work(desk: ReplayDesk, job: Job, seconds: float) -> float:
    """Do what the workers do, stretch after stretch; return how long it took."""
    began = time.perf_counter()
    while work_on_job(desk, job.id) == "passed on" and time.perf_counter() - began < seconds:
        pass
    return time.perf_counter() - began


def _found(desk: ReplayDesk, job: Job) -> Job:
    found = desk.jobs.find(job.id)
    assert found is not None
    return found


if __name__ == "__main__":
    main()
