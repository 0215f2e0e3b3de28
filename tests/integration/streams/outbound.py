"""Letters in an outbox, relays that send them, and what stands on the topic after."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from config.settings import Settings
from payments.envelope import Record
from payments.from_settings import kafka_access
from payments.ledger.database import Database
from payments.streams.reader import TopicReader
from payments.wiring import Wiring
from tests.integration.streams.bridges import Told
from workers.relay import Relay

PAYFERRY = Path(sys.executable).with_name("payferry")


def write(database: Database, topic: str, first: int, last: int, keys: int = 40) -> None:
    """Write numbered events, each with an id of its own, of so many payments."""
    database.run(_WRITE, {"topic": topic, "first": first, "last": last, "keys": keys})


def left(database: Database) -> int:
    """Return how many wait to be sent."""
    row = database.row("SELECT count(*) FROM outbox WHERE refused IS NULL")
    assert row is not None
    return int(row[0])


def read(settings: Settings, topic: str) -> list[Record]:
    """Return all that stands on the topic."""
    reader = TopicReader(kafka_access(settings), topic, "nobody")
    try:
        return list(reader.records())
    finally:
        reader.close()


def assert_all_in_order(records: Sequence[Record], wanted: int) -> int:
    """Return how many were repeated, once nothing is missing and each key is in order but for repetitions.

    A repetition has the id of the first.
    """
    numbers: dict[bytes, list[int]] = defaultdict(list)
    ids: dict[int, set[str | None]] = defaultdict(set)
    for record in records:
        number = json.loads(record.payload)["n"]
        ids[number].add(record.header("ce_id"))
        numbers[record.key or b""].append(number)
    for told in numbers.values():
        first_seen = list(dict.fromkeys(told))
        assert first_seen == sorted(first_seen)
    assert ids == {number: {f"e{number}"} for number in range(1, wanted + 1)}
    return len(records) - wanted


class Relaying:
    """A relay in a thread of this process, put together as its process does it."""

    def __init__(self, settings: Settings) -> None:
        self.told = Told()
        self._wiring = Wiring(settings)
        self._wiring.tell = self.told
        self._relay = Relay(self._wiring.relay_desk())
        self._thread = threading.Thread(target=self._relay.run, daemon=True)

    @property
    def lanes(self) -> int:
        """How many it holds."""
        counts = [fields["lanes"] for fields in self.told.of("relay_lanes")]
        assert all(isinstance(count, int) for count in counts)
        return int(str(counts[-1])) if counts else 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._relay.stop()
        self._thread.join(timeout=30)
        self._wiring.database.close()
        assert not self._thread.is_alive()


class RelayProcess:
    """`payferry relay`, to be killed."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._process = subprocess.Popen([PAYFERRY, "relay"], env=os.environ | variables, stderr=subprocess.DEVNULL)

    def freeze(self) -> None:
        """Stop it where it is, its connections open, as a machine that hangs."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()


_WRITE = """
INSERT INTO outbox (topic, key, headers, payload)
SELECT %(topic)s, 'k' || n %% %(keys)s,
       jsonb_build_array(jsonb_build_array('ce_id', encode(convert_to('e' || n, 'UTF8'), 'base64'))),
       jsonb_build_object('n', n)
  FROM generate_series(%(first)s::INT, %(last)s::INT) AS told (n)
 ORDER BY n
"""
