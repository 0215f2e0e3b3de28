"""The whole pipeline in a stack of its own: Kafka to settled, with so many workers and so slow a gateway.

    python -m benchmarks.pipeline --workers N --latency-ms MS --payments COUNT

prints events a second, from the first produced to the last ended, and the memory of every process.
"""

import argparse
import json
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.topic import fill
from config.settings import load_settings
from payments.wiring import Wiring
from workers.demo import ended_events
from workers.logs import configure_logs
from workers.stack import Stack
from workers.supervisor.output import FolderOutput

_WARM_UP = 200
_LOOK_SECONDS = 0.05


def main() -> None:
    """Measure once and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--latency-ms", type=int, default=0)
    parser.add_argument("--payments", type=int, default=2000)
    parser.add_argument("--io-bound", type=int, choices=(0, 1), default=0, help="only events that call the provider")
    given = parser.parse_args()
    configure_logs(load_settings().log)
    with tempfile.TemporaryDirectory() as logs:
        instances = {"worker": given.workers, "monitor": 0}
        with Stack(FolderOutput(Path(logs)), instances=instances, latency_ms=given.latency_ms) as stack:
            stack.wait_ready()
            _carry(stack, _WARM_UP, 0, io_bound=bool(given.io_bound))
            seconds = _carry(stack, given.payments, _WARM_UP, io_bound=bool(given.io_bound))
            print(json.dumps({"rate": given.payments / seconds, **memory()}))


def _carry(stack: Stack, count: int, before: int, *, io_bound: bool) -> float:
    """Produce `count` events and return the seconds until all have ended."""
    kafka = stack.settings.kafka
    census = Wiring(stack.settings).census()
    began = time.perf_counter()
    fill(kafka.bootstrap_servers, kafka.topic, count, io_bound=io_bound)
    while ended_events(census, kafka.topic) < before + count:
        time.sleep(_LOOK_SECONDS)  # between two looks at the ledger
    return time.perf_counter() - began


def memory() -> dict[str, float]:
    """Return the proportional memory of all our processes in MB, and of the largest process of the workers."""
    shares: list[float] = []
    workers: list[float] = []
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # one that has ended meanwhile holds nothing
            shares.append(process.memory_full_info().pss / 2**20)
            if {"celery", "worker"} <= _words(process):
                workers.append(process.memory_info().rss / 2**20)
    return {"all_mb": sum(shares), "worker_rss_mb": max(workers)}


def _words(process: psutil.Process) -> set[str]:
    return {Path(word).name for word in process.cmdline()}


if __name__ == "__main__":
    main()
