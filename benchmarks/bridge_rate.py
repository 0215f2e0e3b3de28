"""Our bridge, with its durable inbox, against a naive one: poll, apply_async, commit, one record at a time."""

import resource
import sys
import time

from confluent_kafka import Consumer

from config.settings import load_settings
from payments.wiring import Wiring
from workers.app import app
from workers.logs import configure_logs
from workers.bridge import Bridge, BridgePolicy


def main(kind: str, count: int) -> None:
    """Read `count` records of the topic and print seconds and peak memory in KiB."""
    configure_logs(load_settings().log)
    seconds = {"ours": _ours, "naive": _naive}[kind](count)
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _ours(count: int) -> float:
    settings = load_settings()
    wiring = Wiring(settings)
    policy = BridgePolicy(batch_size=settings.bridge.batch_size, high_water_mark=10**9, low_water_mark=0)
    taken = 0
    intake = wiring.intake(app)
    bridge = Bridge(wiring.consumer(), intake, wiring.inbox(), policy, wiring.tell)
    take = intake.take

    def counting(records):
        nonlocal taken
        result = take(records)
        taken += len(records)
        return result

    intake.take = counting
    while not taken:
        bridge.turn()
    began, first = time.perf_counter(), taken
    while taken < count:
        bridge.turn()
    seconds = time.perf_counter() - began
    bridge._consumer.close()
    return seconds * count / (count - first)


def _naive(count: int) -> float:
    settings = load_settings()
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
    for _ in range(count - 1):
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
