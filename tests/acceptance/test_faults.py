"""A worker, a bridge and all of Redis die in full flight."""

from datetime import timedelta

import pytest
import redis

from tests.acceptance.commands import payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Sandbox, Up
from tests.integration.kafka import eventually

pytestmark = pytest.mark.slow

PAYMENTS = 1500


@pytest.mark.timeout(240)
def test_kills_and_an_empty_redis_cost_seconds_and_nothing_else(harbour: Harbour) -> None:
    ledger = harbour.ledger
    with Sandbox(harbour.folder, "--latency-ms", "20") as sandbox:
        env = {**harbour.env, "SANDBOX_URL": sandbox.url, "BRIDGE_BATCH_SIZE": "50"}
        with Up(env, harbour.folder, "--no-flower") as up:
            arguments = ("produce", "--count", str(PAYMENTS), "--seed", "7", "--bad", "0.01")
            assert payferry(*arguments, env=env, folder=harbour.folder).code == 0
            eventually(lambda: ledger.taken_in() >= 150, "the bridge is at work")
            up.kill("bridge")
            eventually(lambda: ledger.ended() >= 300, "a part has ended")
            up.kill("worker")
            eventually(lambda: ledger.ended() >= 600, "more has ended")
            with redis.Redis.from_url(harbour.redis_url) as client:
                client.flushall()
            last_fault = ledger.now()
            unfinished = PAYMENTS - ledger.ended()
            eventually(lambda: _is_over(harbour, env), "all has ended")
            assert ledger.last_end() - last_fault < timedelta(seconds=15)
        assert unfinished > PAYMENTS / 4, "the last fault came in full flight"
        done = payferry("reconcile", "--json", env=env, folder=harbour.folder)
    assert done.code == 0, done.out + done.err
    assert done.json["produced"] + done.json["duplicates"] == PAYMENTS
    assert done.json["lost"] == done.json["double_effects"] == done.json["money_mismatch"] == 0


def _is_over(harbour: Harbour, env: dict[str, str]) -> bool:
    """Say whether everything that was produced has been read, and what was read has ended."""
    if harbour.ledger.ended() < harbour.ledger.taken_in():
        return False
    told = payferry("status", "--json", env=env, folder=harbour.folder).json
    return sum(told["lag"].values()) == 0 and harbour.ledger.ended() == harbour.ledger.taken_in()
