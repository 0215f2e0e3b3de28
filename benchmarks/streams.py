"""Streams of the API under load: how old an event is when it is received, and what a client that stalls does to others.

    python -m benchmarks.streams [--streams 200] [--rate 200] [--seconds 30] [--rounds 5]

starts PostgreSQL, Valkey and the API, each in a process of its own, and prints JSON. Ages are from the moment at which
the ledger booked a change (its own clock, on this machine) to the moment at which a client had read it. What the
readers and the one who settles cost is told too: they have the same cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from benchmarks.servers import ledger_and_queue
from tests.acceptance.commands import PROGRAM
from tests.acceptance.running import Running
from workers.embedded.port import free_port

TOKEN = "token-of-this-benchmark"  # noqa: S105 - no secret
_TENTHS = 10.0
_STALLED = 5
_REPLAYED = 10_000
_SHORT_SECONDS = 5.0
_WARM_UP = 200


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200.0, help="payments settled a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=5, help="with and without clients that stall, in turn")
    given = parser.parse_args()
    with ledger_and_queue("127.0.0.1:1", "payments.raw") as env, api(env) as server:
        bench = Bench(server, given.rate)
        told = {"live": bench.live(given.streams, given.seconds)}
        if given.rounds:
            told["stalled"] = bench.stalled(given.rounds)
        print(json.dumps(told))


@contextmanager
def api(env: Mapping[str, str]) -> Iterator["Server"]:
    """Serve the API on the servers that `env` names."""
    port = free_port()
    ours = {"API_PORT": str(port), "API_TOKENS": f"bench:read:{TOKEN}", "API_CALLS_PER_SECOND": "0"}
    with tempfile.TemporaryDirectory() as folder:
        ours["READY_DIR"] = folder
        settings = {**env, **ours, "PROCESS_NAME": "api", "PAYFERRY_API_TOKEN": TOKEN}
        with Running([PROGRAM, "api"], settings, Path(folder), "api") as running:
            running.wait_for(lambda: "api_started" in running.output(), "the API serves")
            yield Server(f"127.0.0.1:{port}", settings, psutil.Process(running.process.pid))


class Server:
    """Where the API is, with which settings, and its process."""

    def __init__(self, address: str, env: Mapping[str, str], process: psutil.Process) -> None:
        self.address = address
        self.env = env
        self.process = process


class Helper:
    """A module of ours in a process of its own: it says `ready`, is told to go on, and prints JSON at its end."""

    def __init__(self, module: str, *words: object, env: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", module, *map(str, words)]
        self._process = subprocess.Popen(
            command, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.cpu_seconds = 0.0

    def wait_ready(self) -> None:
        """Wait until it is."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == "ready\n", line

    def go(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def told(self) -> dict[str, Any]:
        """Wait for its end, and return what it prints."""
        before = _children_seconds()
        out, _ = self._process.communicate()
        self.cpu_seconds = _children_seconds() - before
        told: dict[str, Any] = json.loads(out)
        return told


class Bench:
    """Measurements on one server."""

    def __init__(self, server: Server, rate: float) -> None:
        self._server = server
        self._rate = rate
        self._rounds = 0

    def live(self, streams: int, seconds: float) -> dict[str, Any]:
        """Return how old events are when so many streams in two processes receive them, and what that costs."""
        self._run(_WARM_UP, [self._readers(streams // 2, _WARM_UP)])
        events = round(self._rate * seconds)
        readers = [self._readers(share, events) for share in (streams // 2, streams - streams // 2)]
        before = self._server.process.cpu_times()
        found = self._run(events, readers)
        used = self._server.process.cpu_times()
        took = found["seconds"]
        return {
            "streams": streams,
            "settled_per_second": round(events / took, 1),
            "received_per_second": round(sum(found["ages"].values()) / took),
            "wrong_streams": found["wrong"],
            **_ages(found["ages"]),
            "api_cores": round((used.user + used.system - before.user - before.system) / took, 2),
            "readers_cores": [round(each.cpu_seconds / took, 2) for each in readers],
            "settling_cores": round(found["settling_cpu_seconds"] / took, 2),
            "api_mb": round(self._server.process.memory_info().rss / 2**20),
            "load_average": round(os.getloadavg()[0], 1),
        }

    def stalled(self, rounds: int) -> dict[str, Any]:
        """Return what one reader notices of others that read no more: medians of rounds without and with them."""
        begin = self._run(1, [self._readers(1, 1)])["cursor"]
        self._run(_REPLAYED, [], rate=0.0)
        alone: list[dict[str, float]] = []
        beside: list[dict[str, float]] = []
        for _ in range(rounds):
            alone.append(self._noticed(begin, 0))
            beside.append(self._noticed(begin, _STALLED))
        without, with_them = _medians(alone), _medians(beside)
        ratios = {name: round(with_them[name] / without[name], 3) for name in without}
        return {"stalled": _STALLED, "without": without, "with": with_them, "ratio": ratios}

    def _noticed(self, begin: str, stalled: int) -> dict[str, float]:
        replay = self._readers(1, _REPLAYED, "--cursor", begin, "--stalled", stalled)
        replay.wait_ready()
        replayed = replay.told()
        events = round(self._rate * _SHORT_SECONDS)
        live = self._run(events, [self._readers(1, events, "--stalled", stalled)])
        ages = _ages(live["ages"])
        return {
            "replayed_per_second": _REPLAYED / replayed["seconds"],
            "p50_ms": ages["p50_ms"],
            "p99_ms": ages["p99_ms"],
        }

    def _readers(self, streams: int, events: int, *more: object) -> Helper:
        words = (self._server.address, "--streams", streams, "--events", events, *more)
        return Helper("benchmarks.stream_readers", *words, env=self._server.env)

    def _run(self, payments: int, readers: list[Helper], rate: float | None = None) -> dict[str, Any]:
        """Settle payments while the readers read, and return what they found together."""
        self._rounds += 1
        words = ("--payments", payments, "--rate", self._rate if rate is None else rate, "--name", f"r{self._rounds}-")
        settling = Helper("benchmarks.settling", *words, env=self._server.env)
        for each in (settling, *readers):
            each.wait_ready()
        settling.go()
        found = [each.told() for each in readers]
        settled = settling.told()
        ages: Counter[int] = Counter()
        for each in found:
            ages.update({int(tenths): count for tenths, count in each["ages"].items()})
        return {
            "ages": ages,
            "cursor": found[-1]["cursor"] if found else "",
            "wrong": sum(each["wrong"] for each in found),
            "seconds": settled["seconds"],
            "settling_cpu_seconds": settling.cpu_seconds,
        }


def _ages(ages: Counter[int]) -> dict[str, float]:
    """Return quantiles in milliseconds of what is counted in tenths of one."""
    ordered = sorted(ages.items())
    return {f"p{share:g}_ms": _quantile(ordered, share / 100) / _TENTHS for share in (50, 99, 99.9)} | {
        "max_ms": ordered[-1][0] / _TENTHS
    }


def _quantile(ordered: list[tuple[int, int]], share: float) -> int:
    left = share * sum(count for _, count in ordered)
    for value, count in ordered:
        left -= count
        if left <= 0:
            return value
    return ordered[-1][0]


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in rounds), 1) for name in rounds[0]}


def _children_seconds() -> float:
    """Return how much CPU the processes have used that were started here and have ended."""
    used = psutil.Process().cpu_times()
    return float(used.children_user + used.children_system)


if __name__ == "__main__":
    main()
