"""A bridge as a process that meets a flood of bad records, and a person at a terminal who looks and says go on."""

import getpass
import uuid
from pathlib import Path

import pytest

from tests.acceptance.commands import PROGRAM, Done, payferry
from tests.acceptance.ledger import Ledger
from tests.acceptance.running import Running
from tests.builders import a_message
from tests.integration.kafka import Brokers

pytestmark = pytest.mark.timeout(180)
FLOOD = 3_000
GOOD = 100


class Flooded:
    """A topic that somebody has flooded, and what a bridge and a person are told to use."""

    def __init__(self, kafka: Brokers, env: dict[str, str], ledger: Ledger, folder: Path) -> None:
        self.kafka = kafka
        self.env = env
        self.ledger = ledger
        self.folder = folder

    def bridge(self) -> Running:
        """Return a bridge that is to be entered."""
        return Running([PROGRAM, "bridge"], self.env, self.folder, f"bridge-{uuid.uuid4().hex[:6]}")

    def command(self, *words: str) -> Done:
        """Run a command to its end."""
        return payferry(*words, env=self.env, folder=self.folder)

    def is_paused(self) -> bool:
        """Say whether the ledger holds a pause."""
        return bool(self.ledger.rows("SELECT FROM bridge_pauses"))


@pytest.fixture
def flooded(kafka: Brokers, topic: str, group: str, database_url: str, redis_url: str, tmp_path: Path) -> Flooded:
    bad = [(b"%d" % number, b"no payment") for number in range(FLOOD)]
    kafka.produce(topic, [*bad, *((b"%d" % number, a_message(f"p-{number}")) for number in range(GOOD))])
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_TOPIC": topic,
        "KAFKA_GROUP_ID": group,
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": redis_url,
        "BRIDGE_BATCH_SIZE": "200",
        "BRIDGE_PROBE_SECONDS": "3600",
        "PROCESS_NAME": "bridge.1",
        "LOG_FORMAT": "json",
    }
    return Flooded(kafka, env, Ledger(database_url), tmp_path)


def test_a_flooded_bridge_pauses_stays_paused_when_started_anew_and_goes_on_when_told_to(flooded: Flooded) -> None:
    with flooded.bridge() as first:
        first.wait_for(flooded.is_paused, "it has paused")
        assert first.stop(20) == 0
    taken_in = flooded.ledger.taken_in()
    assert taken_in <= 1_000
    assert flooded.command("bridge", "status", "--json").json["pause"]["share"] == 1.0
    assert '"level": "critical"' in next(line for line in first.output().splitlines() if "bridge_poisoned" in line)

    with flooded.bridge() as second:
        second.wait_for(lambda: "bridge_partitions_assigned" in second.output(), "another has the topic")
        pause = flooded.command("status", "--json").json["bridge_pause"]
        assert pause["reason"] == "poison"
        assert pause["paused_by"].startswith("bridge.1@")
        assert flooded.ledger.taken_in() == taken_in

        done = flooded.command("bridge", "resume", "--yes", "--why", "buried on purpose")
        assert done.code == 0, done.err
        second.wait_for(lambda: flooded.ledger.taken_in() == FLOOD + GOOD, "all is stored")
        assert "bridge_poison_over" in second.output()

    (who, why) = flooded.ledger.rows("SELECT resumed_by, resumed_why FROM bridge_pauses")[0]
    assert (who.partition("@")[0], why) == (getpass.getuser(), "buried on purpose")
    assert flooded.command("bridge", "resume", "--yes").code == 1
