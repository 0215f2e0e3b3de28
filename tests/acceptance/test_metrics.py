"""What a real Prometheus sees of a running `payferry up`, while its processes are killed."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # psutil ships no types
import pytest

from payments.metrics.catalogue import CATALOGUE, Kind, Metric
from tests.acceptance.commands import payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.prometheus import Prometheus
from tests.acceptance.quick import QUICK
from tests.acceptance.running import Sandbox, Up
from tests.integration.kafka import eventually

RECORDS = 600
STILL = {"WORKER_CONCURRENCY": "4", "SURVEY_SECONDS": "1", "DLQ_REPLAY_SCHEDULE": "3600"}
"""Four children, and dead letters stay where they are: the numbers must come to rest."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_counters_equal_the_books_and_every_metric_is_there_although_a_child_and_a_worker_are_killed(
    harbour: Harbour, tmp_path: Path
) -> None:
    with Sandbox(harbour.folder, "--error-rate", "0.2", "--decline-rate", "0.1", "--latency-ms", "5") as sandbox:
        env = {**harbour.env, **QUICK, **STILL, "SANDBOX_URL": sandbox.url}
        with Up(env, harbour.folder, "--no-flower") as up, Prometheus(tmp_path, up.place("Monitor")) as prometheus:
            arguments = ("produce", "--count", str(RECORDS), "--seed", "5", "--bad", "0.02")
            assert payferry(*arguments, env=env, folder=harbour.folder).code == 0
            eventually(lambda: harbour.ledger.ended() > RECORDS / 4, "a part has ended")
            _a_child_of(up.main("worker")).kill()
            eventually(lambda: harbour.ledger.ended() > RECORDS / 2, "half has ended")
            up.kill("worker")
            eventually(lambda: harbour.ledger.ended() == harbour.ledger.taken_in() >= RECORDS * 0.8, "all has ended")
            _read_one(up, env, harbour)
            books = payferry("reconcile", "--json", env=env, folder=harbour.folder).json
            eventually(lambda: _numbers(prometheus) == _expected(books), f"Prometheus has {_expected(books)}", 30)
            assert sum(books[ending] for ending in ENDINGS) + books["dead"] == books["produced"]
            with suppress(AssertionError):
                eventually(lambda: _missing(prometheus) == [], "every metric has a sample", 20)
            assert _missing(prometheus) == []


ENDINGS = ("settled", "declined", "ignored", "superseded")


def _a_child_of(worker: "psutil.Process | None") -> psutil.Process:
    assert worker is not None
    children: list[psutil.Process] = worker.children()
    assert len(children) >= 4
    return children[-1]


def _read_one(up: Up, env: dict[str, str], harbour: Harbour) -> None:
    """Read a payment over gRPC, so that the API has something to count."""
    exported = next(line for line in up.output().splitlines() if "PAYFERRY_API_TOKEN=" in line).split()
    told = dict(pair.split("=", 1) for pair in exported if pair.startswith("PAYFERRY_API"))
    done = payferry("payments", "list", "--json", env={**env, **told}, folder=harbour.folder)
    assert done.code == 0, done.err


def _expected(books: dict[str, Any]) -> dict[str, int]:
    return {name: books[name] for name in (*ENDINGS, "dead")}


def _numbers(prometheus: Prometheus) -> dict[str, int]:
    ended = prometheus.sums("payferry_events_ended_total", "ending")
    dead = prometheus.sums('payferry_dead_letters{state=~"pending|parked"}', "job").get("payferry")
    return {**{name: ended.get(name, 0) for name in ENDINGS}, "dead": -1 if dead is None else dead}


def _missing(prometheus: Prometheus) -> list[str]:
    seen = prometheus.names()
    return [metric.name for metric in CATALOGUE.values() if _series(metric) not in seen]


def _series(metric: Metric) -> str:
    return metric.name + {Kind.COUNTER: "_total", Kind.GAUGE: "", Kind.HISTOGRAM: "_count"}[metric.kind]
