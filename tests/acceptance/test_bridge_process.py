"""`payferry bridge` as a process: killed, told to end, and stopped by a lost offset."""

import signal
import uuid
from pathlib import Path

import pytest
import redis

from tests.acceptance.commands import PROGRAM, payferry
from tests.acceptance.ledger import Ledger
from tests.acceptance.running import Running
from tests.builders import a_message
from tests.integration.kafka import PARTITIONS, Brokers

pytestmark = pytest.mark.timeout(180)
RECORDS = 2000


class Port:
    """One topic with records, one empty ledger, and the bridge between them."""

    def __init__(self, kafka: Brokers, topic: str, group: str, ledger: Ledger, folder: Path) -> None:
        self.kafka = kafka
        self.topic = topic
        self.group = group
        self.ledger = ledger
        self.folder = folder
        self.env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": group,
            "DATABASE_URL": ledger.url,
            "BRIDGE_BATCH_SIZE": "20",
        }

    def bridge(self) -> Running:
        """Return a bridge that is to be entered."""
        return Running([PROGRAM, "bridge"], self.env, self.folder, f"bridge-{uuid.uuid4().hex[:6]}")

    def fill(self) -> None:
        """Put records on the topic."""
        self.kafka.produce(self.topic, [(b"%d" % n, a_message(f"p-{n}")) for n in range(RECORDS)])

    def committed(self) -> int:
        """Return how many records the group has committed."""
        return sum(self.kafka.committed(self.topic, self.group).values())

    def committed_is_stored(self) -> bool:
        """Say whether every record below the committed offsets is in the ledger: the promise of the bridge."""
        stored = {(row[0], row[1]) for row in self.ledger.rows('SELECT partition, "offset" FROM inbox')}
        committed = self.kafka.committed(self.topic, self.group)
        return stored >= {(number, offset) for number, end in committed.items() for offset in range(end)}


@pytest.fixture
def port(kafka: Brokers, topic: str, group: str, database_url: str, redis_url: str, tmp_path: Path) -> Port:
    made = Port(kafka, topic, group, Ledger(database_url), tmp_path)
    made.env["CELERY_BROKER_URL"] = redis_url
    return made


def test_a_bridge_killed_at_work_leaves_everything_to_the_next(port: Port) -> None:
    port.fill()
    with port.bridge() as first:
        first.wait_for(lambda: port.ledger.taken_in() >= 200, "it is at work")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    assert port.ledger.taken_in() < RECORDS, "it was killed at work"
    assert port.committed_is_stored()
    with port.bridge() as second:
        second.wait_for(lambda: port.committed() == RECORDS, "the next one has read all")
    assert len(port.ledger.rows("SELECT FROM inbox")) == RECORDS
    assert port.ledger.rows("SELECT FROM dead_letters") == []


def test_sigterm_lets_it_finish_what_it_has_in_hand(port: Port) -> None:
    port.fill()
    with port.bridge() as bridge:
        bridge.wait_for(lambda: port.ledger.taken_in() >= 200, "it is at work")
        assert bridge.stop(20) == 0, bridge.output()[-2000:]
    taken_in = port.ledger.taken_in()
    assert taken_in < RECORDS, "it was told to end at work"
    assert port.committed() == taken_in, "everything stored is committed, and nothing else"
    assert port.committed_is_stored()
    with redis.Redis.from_url(port.env["CELERY_BROKER_URL"]) as client:
        assert client.llen("payments.canonical") == taken_in
    assert "bridge_stopped" in bridge.output()


def test_a_lost_offset_ends_it_with_one_line_that_names_the_way_out(port: Port) -> None:
    port.kafka.commit(port.topic, port.group, dict.fromkeys(range(PARTITIONS), 5000))
    done = payferry("bridge", env=port.env, folder=port.folder)
    assert done.code == 1
    (line,) = [line for line in done.err.splitlines() if line.startswith("payferry: ")]
    assert "KAFKA_ON_LOST_OFFSET=earliest" in line
    assert port.topic in line
    assert "Traceback" not in done.err


def test_a_bridge_without_postgresql_at_its_start_waits_for_it(port: Port) -> None:
    port.fill()
    port.env["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    with port.bridge() as bridge:
        bridge.wait_for(lambda: "database_away" in bridge.output(), "it says so")
        assert bridge.process.poll() is None
        assert bridge.stop(20) == 0
    assert port.committed() == 0


def test_without_any_setting_it_says_what_is_missing(tmp_path: Path) -> None:
    done = payferry("bridge", env={}, folder=tmp_path, seconds=10)
    assert done.code in {1, 2}
    assert "payferry: " in done.err
    assert "Traceback" not in done.err
