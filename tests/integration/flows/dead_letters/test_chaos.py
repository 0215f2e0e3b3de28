"""Two beats and three replayers at once, killed at random."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from payments.event import Provider
from payments.failures import Unavailable
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.burial import ReplayDelays
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import ReplayJobs
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import BURIALS, MakeDesk
from tests.integration.flows.dead_letters.letters import AT_ONCE, bury_many, letters, requested

pytestmark = pytest.mark.alone

PROGRAM = Path(__file__).with_name("replaying_process.py")
ROOT = Path(__file__).parents[4]
ROLES = ("beat", "beat", "replayer", "replayer", "replayer")
PAYMENTS = 120
KILLING_SECONDS = 8.0


class Sickly(FakeGateway):
    """Does not serve one in three."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def authorize(self, charge: object, idempotency_key: str) -> object:  # type: ignore[override]
        if self._random.random() < 1 / 3:
            raise Unavailable("cannot serve now", code="http_503", service="stripe", operation="authorize")
        return super().authorize(charge, idempotency_key)  # type: ignore[arg-type]


class Fleet:
    """The processes. One that is killed is started again at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._running = [self._start(role) for role in ROLES]

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen([sys.executable, str(PROGRAM), self._url, role], env=environment, cwd=ROOT)

    def kill_one(self, random: Random) -> None:
        """Kill one of them with SIGKILL, wherever it is in its work."""
        place = random.randrange(len(ROLES))
        self._running[place].kill()
        self._running[place].wait()
        self._running[place] = self._start(ROLES[place])

    def stop(self) -> None:
        """Kill them all."""
        for process_ in self._running:
            process_.kill()
            process_.wait()


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    running = Fleet(database_url)
    yield running
    running.stop()


@pytest.mark.parametrize("seed", [1])
def test_no_letter_is_replayed_twice_for_one_decision_and_none_stays_on_its_way(
    make_desk: MakeDesk, database: Database, fleet: Fleet, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - dice
    quick = ReplayDelays(base_seconds=0.3, factor=1.2, cap_seconds=1.0)
    burials = type(BURIALS)(delays=quick, critical_amount=0.0)
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(PAYMENTS)), burials=burials)
    gateway = Sickly(random)
    desk = make_desk(policies=AT_ONCE, gateways=dict.fromkeys(Provider, gateway), burials=burials)
    jobs = ReplayJobs(database)
    until, killed_at = time.monotonic() + KILLING_SECONDS, time.monotonic()
    decisions = 0
    while time.monotonic() < until or _on_their_way(database):
        for (inbox_id,) in database.rows("SELECT id FROM inbox WHERE state = 'received' ORDER BY id LIMIT 20"):
            process(desk, inbox_id)
        if time.monotonic() < until and time.monotonic() - killed_at > 0.25:
            fleet.kill_one(random)
            killed_at = time.monotonic()
            decisions += jobs.make(Choice(), Actor("jo@desk", "again")) is not None
        assert time.monotonic() < until + 60, "something stays on its way"
    assert decisions > 3
    _check_histories(database)
    assert all(number == 1 for number in _captures(gateway).values())


def _on_their_way(database: Database) -> int:
    row = database.row(
        """SELECT (SELECT count(*) FROM dead_letters WHERE state IN ('pending', 'replaying'))
                + (SELECT count(*) FROM replay_jobs WHERE state = 'running')"""
    )
    assert row is not None
    return int(row[0])


def _check_histories(database: Database) -> None:
    """Every replay was sent once, and had its one end before the next one was sent."""
    rows = letters(database, "state::TEXT, replay_count, replays")
    assert len(rows) == PAYMENTS
    for state, count, lines in rows:
        assert state in {"resolved", "parked"}
        sent = [line for line in lines if line["mark"] == "sent"]
        assert [line["replay"] for line in sent] == list(range(1, count + 1))
        marks = [line["mark"] for line in lines]
        assert marks[::2] == ["sent"] * count
        assert set(marks[1::2]) <= {"failed", "resolved"}
        by_job = [line["job"] for line in sent if line["job"] is not None]
        assert len(by_job) == len(set(by_job)), "one job sent it twice"


def _captures(gateway: FakeGateway) -> dict[str, int]:
    """Return how often each payment was captured."""
    captured = sorted(asked.charge.payment_id for asked in gateway.asked if asked.verb == "capture")
    return {payment_id: len(list(group)) for payment_id, group in itertools.groupby(captured)}
