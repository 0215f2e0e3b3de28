"""A replayer's desk beside a worker's, on one ledger."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from payments.flows.dead_letters.desk import ReplayDesk, ReplayPolicy
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import DeadLetters
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.replays import Replays
from payments.ledger.dead_letters.switch import ReplaySwitch
from payments.ledger.sweeps import Sweeps
from payments.queue.wakeups import Wakeups
from payments.resilience.exchange import Exchange
from payments.resilience.switchboard import Switchboard
from tests.integration.flows.conftest import LENIENT, Queue, policies_with

POLICY: dict[str, Any] = {"batch_size": 100, "least_gap_seconds": 60.0, "max_event_bytes": 1_048_576}

MakeReplayDesk = Callable[..., ReplayDesk]


@pytest.fixture
def started() -> list[tuple[int, float]]:
    """Return the jobs that were queued, each with its countdown."""
    return []


@pytest.fixture
def switchboard() -> Switchboard:
    return Switchboard(Exchange(None, lambda *_, **__: None), LENIENT, lambda *_, **__: None)


@pytest.fixture
def make_replay_desk(
    database: Database,
    queue: Queue,
    switchboard: Switchboard,
    started: list[tuple[int, float]],
    told: list[tuple[str, dict[str, object]]],
) -> MakeReplayDesk:
    """Return a maker of replayers that differ in a tool or a rule."""

    def make(**other: Any) -> ReplayDesk:  # noqa: ANN401 - any tool or rule
        rules = POLICY | {name: other.pop(name) for name in list(other) if name in ReplayPolicy.__struct_fields__}
        tools: dict[str, Any] = {
            "database": database,
            "letters": DeadLetters(database),
            "replays": Replays(database),
            "jobs": ReplayJobs(database),
            "switch": ReplaySwitch(database),
            "sweeps": Sweeps(database),
            "wakeups": cast("Wakeups", queue),
            "switchboard": switchboard,
            "policies": policies_with(replay_velocities__default__per_second=0),
            "start_job": lambda job_id, seconds: started.append((job_id, seconds)),
            "tell": lambda name, **fields: told.append((name, fields)),
        }
        return ReplayDesk(**(tools | other), policy=ReplayPolicy(**rules))

    return make


@pytest.fixture
def replayer(make_replay_desk: MakeReplayDesk) -> ReplayDesk:
    return make_replay_desk()
