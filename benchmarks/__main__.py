"""Run all benchmarks and print what they found. What is compared is measured side by side, in this one run."""

import json
import os
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.servers import kafka, ledger_and_queue, run_module
from benchmarks.topic import fill
from config.settings import load_settings
from workers.logs import configure_logs

_BACKLOG = 200_000
_OURS, _NAIVE = 30_000, 2_000
_TOPIC = "payments.raw"


def main() -> None:
    """Measure everything and print a table."""
    configure_logs(load_settings().log)
    table = Table(title="Payferry, measured", show_header=False)
    for measure in (_breaker, _metrics, _traces, _bridge, _pipeline, _outage, _dead_letters, _streams):
        for name, value in measure().items():
            table.add_row(name, value)
    Console().print(table)


def _breaker() -> dict[str, str]:
    """Return what a closed breaker costs a call, and Redis."""
    told = json.loads(run_module("benchmarks.breaker_cost", env=os.environ))
    return {
        "closed breaker, before and after one call, median": f"{told['microseconds']:.2f} µs",
        "round trips to Redis of one process, four breakers": f"{told['round_trips_a_second']:.1f} a second",
    }


def _metrics() -> dict[str, str]:
    """Return what counting costs a payment, and a scrape a worker."""
    told = json.loads(run_module("benchmarks.metrics_cost", env=os.environ))
    return {
        "events of one payment, told without metrics": f"{told['off_us']:.1f} µs",
        "… and counted": f"{told['on_us']:.1f} µs",
        "one scrape of a worker of four processes": f"{told['scrape_ms']:.1f} ms",
    }


def _traces() -> dict[str, str]:
    """Return what the name and the trace of a payment cost it."""
    told = json.loads(run_module("benchmarks.trace_cost", env=os.environ))
    return {
        "the correlation id of one payment": f"{told['payment_name_us']:.1f} µs",
        "its trace, where traces are off": f"{told['payment_off_us']:.1f} µs",
        "… where it is not sampled": f"{told['payment_unsampled_us']:.0f} µs",
        "… where it is": f"{told['payment_on_us']:.0f} µs, and {told['record_on_us']:.0f} µs in the bridge",
    }


def _bridge() -> dict[str, str]:
    """Return rates of our bridge and the naive one on one topic, and our memory with a long backlog."""
    with kafka(_TOPIC) as (name, bootstrap_servers), ledger_and_queue(bootstrap_servers, _TOPIC) as env:
        fill(bootstrap_servers, _TOPIC, _BACKLOG)
        naive = _rate("naive", _NAIVE, env)
        ours = _rate("ours", _OURS, env)
    ratio = _per_second(ours) / _per_second(naive)
    return {
        "Kafka": name,
        "naive bridge (poll, apply_async, commit; no inbox)": f"{_per_second(naive):,.0f} payments/s",
        "our bridge (durable inbox)": f"{_per_second(ours):,.0f} payments/s",
        "ratio": f"{ratio:.1f} times",
        f"our bridge, peak memory with {_BACKLOG:,} records waiting": f"{ours['peak_mb']:.0f} MB",
    }


def _rate(kind: str, count: int, env: dict[str, str]) -> dict[str, Any]:
    group = {"KAFKA_GROUP_ID": f"bench-{kind}"}
    told: dict[str, Any] = json.loads(run_module("benchmarks.bridge_rate", kind, str(count), env=env | group))
    return told


def _per_second(told: dict[str, Any]) -> float:
    return float(told["records"]) / float(told["seconds"])


def _pipeline() -> dict[str, str]:
    """Return the rate from Kafka to settled, and what more workers do for I/O-bound payments."""
    fast = _stack(workers=1, latency_ms=0, payments=3000)
    one = _stack(workers=1, latency_ms=50, payments=400, io_bound=1)
    four = _stack(workers=4, latency_ms=50, payments=1600, io_bound=1)
    return {
        "Kafka to settled, one worker of 4 processes, embedded servers": f"{fast['rate']:,.0f} events/s",
        "one worker, 50 ms at the gateway": f"{one['rate']:,.0f} events/s",
        "four workers, 50 ms at the gateway": f"{four['rate']:,.0f} events/s",
        "four workers against one": f"{four['rate'] / one['rate']:.1f} times",
        "largest worker process": f"{one['worker_rss_mb']:.0f} MB",
        "all of payferry up (proportional set size)": f"{one['all_mb']:,.0f} MB",
    }


def _dead_letters() -> dict[str, str]:
    """Return how long finding among 100,000 dead letters takes at worst, and how fast they go back."""
    found = json.loads(run_module("benchmarks.dead_letters", "--json", "--repeats", "11", env=os.environ))
    replayed = json.loads(run_module("benchmarks.replay_rate", env=os.environ))
    slowest = {kind: f"{told['milliseconds']:.0f} ms ({told['question'].strip()})" for kind, told in found.items()}
    return {
        "100,000 dead letters: the slowest listing, median": slowest["list"],
        "… the slowest groups, median": slowest["groups"],
        "… the slowest statistics, median": slowest["stats"],
        "… replayed by one worker, gates open": f"{replayed['as_fast_as_it_goes']['per_second']:,.0f} letters/s",
        **{
            f"… replayed at a rate of {told['rate']:,.0f} a second": f"{told['reached']:,.0f} letters/s"
            for told in replayed["at_rate"]
        },
    }


def _streams() -> dict[str, str]:
    """Return how old events are when 200 streams receive them, and what one reader notices of others that stall."""
    told = json.loads(run_module("benchmarks.streams", env=os.environ))
    live, stalled = told["live"], told["stalled"]
    ratio = stalled["ratio"]
    return {
        f"{live['streams']} streams, {live['settled_per_second']:.0f} payments/s, settled to received": (
            f"p50 {live['p50_ms']:.0f} ms, p99 {live['p99_ms']:.0f} ms"
        ),
        "… together, by one API process": f"{live['received_per_second']:,} events/s, {live['api_cores']:.2f} cores",
        "… its memory": f"{live['api_mb']} MB",
        "one stream, catching up": f"{stalled['without']['replayed_per_second']:,.0f} events/s",
        f"… beside {stalled['stalled']} that read no more": f"{ratio['replayed_per_second']:.2f} times the rate",
        "… live, settled to received, p50": f"{ratio['p50_ms']:.2f} times as long",
    }


def _outage() -> dict[str, str]:
    """Return what an outage of one provider, 60 s long at 200 payments/s, does to another and to its own."""
    told: dict[str, Any] = json.loads(run_module("benchmarks.outage", env=os.environ))
    before, during = (told["phases"][name]["paypal"] for name in ("before", "outage"))
    drain_seconds, drain_rate = told["phases"]["drain"]["seconds"], told["drain_per_second"]
    return {
        "another provider, before an outage": f"{before['settled_per_second']:.0f} events/s",
        "another provider, during an outage": f"{during['settled_per_second']:.0f} events/s",
        "events lost by the outage": f"{told['lost']}",
        "attempts burnt by waiting": f"{told['attempts_burnt_by_waiting']}",
        "all that waited is settled": f"{drain_seconds:.0f} s after its end, at {drain_rate:.0f} payments/s",
        f"most calls in any second, with a limit of {told['limit']}": f"{told['most_calls_in_a_second']}",
    }


def _stack(**options: int) -> dict[str, float]:
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    told: dict[str, float] = json.loads(run_module("benchmarks.pipeline", *words, env=os.environ))
    return told


if __name__ == "__main__":
    main()
