"""What counting costs a payment: the events that one payment tells, with and without metrics, side by side.

    python -m benchmarks.metrics_cost

prints the median time of both in microseconds, and how long one scrape of a worker with four children takes. A payment
that calls its provider once tells three events: the exchange, its ending, and the end of its task.
"""

import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from payments.log_events import Tell, teller
from payments.metrics.instruments import Instruments
from payments.metrics.meters import Meters
from payments.metrics.place import Place, keep_metrics_in
from workers.metrics.exposition import own_metrics
from workers.metrics.place import OWNER

_ROUNDS = 20_000
_CHILDREN = 4


def main() -> None:
    """Measure and print."""
    logger = structlog.make_filtering_bound_logger(logging.INFO)
    structlog.configure(wrapper_class=logger)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), "worker")
        (place.folder / OWNER).write_text(str(os.getpid()))
        meters = [Meters(Instruments(place, str(slot))) for slot in range(_CHILDREN)][-1]
        off, on = teller(structlog.get_logger()), teller(structlog.get_logger(), None, meters.heard)
        taken = _side_by_side(lambda: _payment(off), lambda: _payment(on))
        keep_metrics_in(place)
        (scrape,) = _side_by_side(own_metrics, rounds=50)
    print(json.dumps({"off_us": taken[0], "on_us": taken[1], "scrape_ms": scrape / 1000}))


def _payment(tell: Tell) -> None:
    """Tell what a payment tells that goes well."""
    tell("gateway_answered", service="stripe", operation="capture", method="POST", status=200, duration_ms=41.5)
    tell(
        "payment_worked_off",
        ending="settled",
        provider="stripe",
        payment_id="pi_1",
        event_id="evt_1",
        kind="requested",
        attempt=1,
        work_seconds=0.05,
        age_seconds=0.21,
        after_failure=None,
        put_off_seconds=0.0,
    )
    tell("task_ended", task="payments.process", state="SUCCESS", task_seconds=0.051)


def _side_by_side(*ways: Callable[[], object], rounds: int = _ROUNDS) -> list[float]:
    """Return the median time of each way in microseconds, each taken in turn with the others."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, times in zip(ways, taken, strict=True):
            begun = time.perf_counter_ns()
            way()
            times.append((time.perf_counter_ns() - begun) / 1000)
    return [round(statistics.median(times), 2) for times in taken]


if __name__ == "__main__":
    main()
