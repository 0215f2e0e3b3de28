"""One bridge at work, in a process of its own: ours, with its durable inbox, or a naive one.

The naive one polls, calls `apply_async` and commits, one record at a time, and stores nothing: the common way, which
loses what Redis loses.

    python -m benchmarks.bridge_rate ours|naive COUNT

prints seconds for COUNT records, from the first one taken, and the process' peak memory in MB.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer

from config.settings import Settings, load_settings
from payments.envelope import Record
from payments.flows.intake import Intake, Taken
from payments.wiring import Wiring
from workers.app import app
from workers.bridge import Bridge, BridgePolicy
from workers.logs import configure_logs


class CountingIntake:
    """Our intake, counting what it takes."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.taken = 0

    def take(self, records: Sequence[Record]) -> Taken:
        """Take the records."""
        taken = self._intake.take(records)
        self.taken += len(records)
        return taken


def main(kind: str, count: int) -> None:
    """Carry `count` records and print what it took."""
    settings = load_settings()
    configure_logs(settings.log)
    seconds = {"ours": _ours, "naive": _naive}[kind](settings, count)
    print(json.dumps({"seconds": seconds, "records": count, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """Return the most memory that this program held: VmHWM, since ru_maxrss still counts what its parent held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines)
    return int(told["VmHWM"].split()[0]) / 1024


def _ours(settings: Settings, count: int) -> float:
    wiring = Wiring(settings)
    intake: Any = CountingIntake(wiring.intake(app))
    policy = BridgePolicy(batch_size=settings.bridge.batch_size, high_water_mark=10**9, low_water_mark=0)
    consumer = wiring.consumer()
    bridge = Bridge(consumer, intake, wiring.inbox(), wiring.bridge_pauses(), policy, wiring.tell)
    while not intake.taken:
        bridge.turn()
    began, first = time.perf_counter(), intake.taken
    while intake.taken < count:
        bridge.turn()
    seconds = time.perf_counter() - began
    consumer.close()
    return seconds * count / (intake.taken - first)


def _naive(settings: Settings, count: int) -> float:
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "group.id": settings.kafka.group_id,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([settings.kafka.topic])
    _carry_one(consumer)
    began = time.perf_counter()
    for _ in range(count):
        _carry_one(consumer)
    seconds = time.perf_counter() - began
    consumer.close()
    return seconds


def _carry_one(consumer: Consumer) -> None:
    while (message := consumer.poll(1.0)) is None or message.error():
        pass
    app.send_task("payments.process", kwargs={"payload": message.value().decode()}, queue="payments.stripe")
    consumer.commit(message, asynchronous=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
