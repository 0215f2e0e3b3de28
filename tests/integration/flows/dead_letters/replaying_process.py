"""A replayer as a process of its own, to be killed: it takes ticks, runs what is due by hand, and works on jobs."""

import sys
from random import random
from time import sleep
from typing import Any, cast

from config.policies import Leaf, told_policies
from config.settings import Settings
from payments.flows.dead_letters.desk import ReplayDesk, ReplayPolicy
from payments.flows.dead_letters.job import work_on_job
from payments.flows.dead_letters.replay import replay_due
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.dead_letters.burial import DeadLetters
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.replays import Replays
from payments.ledger.dead_letters.switch import ReplaySwitch
from payments.ledger.sweeps import Sweeps
from payments.policy_check import load_policies
from payments.queue.wakeups import Wakeups
from payments.resilience.exchange import Exchange
from payments.resilience.policy import BreakerPolicy
from payments.resilience.switchboard import Switchboard

POLICY = ReplayPolicy(
    batch_size=15,
    least_gap_seconds=0.1,
    max_event_bytes=1_048_576,
    job_seconds=0.3,
    job_lease_seconds=1.0,
    round_size=5,
)
UNHURRIED = {("replay_velocities", "default", "per_second"): Leaf(0, "these tests")}


class Nobody:
    """Takes wake-ups and wakes nobody: workers of these tests look into the ledger."""

    def send(self, _calls: Any, _delay: Any = None) -> None:  # noqa: ANN401 - as the real one
        """Do nothing."""


def replay_desk(url: str) -> ReplayDesk:
    """Return a desk of this process alone."""
    database = Database(url, DatabasePolicy(pool_size=3, connect_timeout_seconds=3, statement_timeout_ms=10_000))
    exchange = Exchange(None, lambda *_, **__: None)
    return ReplayDesk(
        database=database,
        letters=DeadLetters(database),
        replays=Replays(database),
        jobs=ReplayJobs(database),
        switch=ReplaySwitch(database),
        sweeps=Sweeps(database),
        wakeups=cast("Wakeups", Nobody()),
        switchboard=Switchboard(exchange, {"default": BreakerPolicy()}, lambda *_, **__: None),
        policies=load_policies(told_policies(Settings()) | UNHURRIED),
        policy=POLICY,
        start_job=lambda *_: None,
        tell=lambda *_, **__: None,
    )


def main(url: str, role: str) -> None:
    """Go on until killed: a `beat` takes ticks, a `replayer` replays by hand and works on every job."""
    desk = replay_desk(url)
    while True:
        replay_due(desk, is_tick=role == "beat")
        for job in desk.jobs.latest() if role == "replayer" else ():
            work_on_job(desk, job.id)
        sleep(0.02 * random())  # noqa: S311 - so that they meet in ever other ways


if __name__ == "__main__":
    main(*sys.argv[1:])
