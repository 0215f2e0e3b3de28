"""Dead letters from end to end, with real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.commands import environment, payferry
from tests.acceptance.eight_ways import ENV, WAYS, Run
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Sandbox, Up
from tests.integration.kafka import eventually

pytestmark = pytest.mark.slow

PAYMENTS = 240


@pytest.mark.timeout(240)
def test_what_fails_in_eight_ways_is_told_replayed_and_ends_where_it_should(harbour: Harbour) -> None:
    with Sandbox(harbour.folder) as sandbox:
        env = {**harbour.env, **ENV, "SANDBOX_URL": sandbox.url}
        with Up(env, harbour.folder, "--no-flower"):
            seen = Run(env, harbour.folder, PAYMENTS).go()
            _beat_is_not_needed(harbour, env)
    assert seen["letters"] == len(WAYS) * round(PAYMENTS * 0.15 / len(WAYS))
    assert seen["reconcile"]["lost"] == seen["reconcile"]["double_effects"] == seen["reconcile"]["money_mismatch"] == 0


def _beat_is_not_needed(harbour: Harbour, env: dict[str, str]) -> None:
    """Replay what is due by Celery's own command, as an operator may at any time."""
    assert payferry("dlq", "pause", "--why", "by hand now", env=env, folder=harbour.folder).code == 0
    harbour.ledger.change(
        "UPDATE dead_letters SET state = 'pending', next_replay_at = now() WHERE reason = 'refused_by_sandbox'"
    )
    assert payferry("dlq", "resume", env=env, folder=harbour.folder).code == 0
    celery = str(Path(sys.executable).with_name("celery"))
    called = subprocess.run(
        [celery, "-A", "workers.app", "call", "dead_letters.replay"],
        env=environment(env),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert called.returncode == 0, called.stderr
    left = "SELECT count(*) FROM dead_letters WHERE reason = 'refused_by_sandbox' AND state <> 'resolved'"
    eventually(lambda: harbour.ledger.rows(left)[0][0] == 0, "they are resolved", 30)
