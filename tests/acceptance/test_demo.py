"""What a newcomer runs first."""

from pathlib import Path

import pytest

from tests.acceptance.commands import payferry

pytestmark = pytest.mark.slow

KEYS = [
    *("produced", "settled", "declined", "ignored", "superseded", "dead", "in_flight"),
    *("duplicates", "lost", "double_effects", "money_mismatch"),
]
ENDINGS = ("settled", "declined", "ignored", "superseded", "dead", "in_flight")


@pytest.mark.timeout(240)
def test_the_demo_with_faults_loses_nothing_and_says_so(tmp_path: Path) -> None:
    asked = ("demo", "--payments", "400", "--seed", "7", "--faults", "--json")  # among those of 7 some are malformed
    done = payferry(*asked, env={}, folder=tmp_path, seconds=200)
    assert done.code == 0, done.err
    told = done.json
    assert list(told) == KEYS
    assert told["produced"] == 400 == sum(told[ending] for ending in ENDINGS)
    assert (told["lost"], told["double_effects"], told["money_mismatch"], told["in_flight"]) == (0, 0, 0, 0)
    assert told["settled"] > 0
    assert told["dead"] > 0
    assert "SIGKILL to the worker" in done.err
    assert "FLUSHALL of Redis" in done.err
