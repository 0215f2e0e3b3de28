"""A server that shows every metric of the catalogue, as a whole Payferry in full swing would."""

import itertools
from collections.abc import Iterator

from payments.metrics.catalogue import CATALOGUE, Kind, Metric
from tests.served import Handler, Served

VALUES: dict[str, tuple[str, ...]] = {
    "state": ("pending", "replaying", "parked", "received", "closed", "open", "half_open", "alive", "stuck", "waiting",
              "refused"),
    "ending": ("settled",),
    "result": ("succeeded", "failed", "done"),
    "reason": ("compensation_failed", "high-water mark"),
    "slot": ("sweep",),
    "role": ("worker",),
    "window": ("1h",),
    "verdict": ("healthy", "degraded", "unhealthy"),
    "level": ("info", "warning"),
}  # fmt: skip
"""What rules and panels select by. Other labels have one value."""


class Exposed(Served):
    """Serves on loopback until it is left. Counters go up by one with every scrape."""

    def __init__(self) -> None:
        super().__init__(_Answers)
        self.scrapes = itertools.count(1)

    @property
    def place(self) -> str:
        """Where it is, as Prometheus wants it."""
        return f"127.0.0.1:{self.server_port}"


class _Answers(Handler):
    server: Exposed

    def get(self) -> None:
        body = "\n".join([*_lines(next(self.server.scrapes)), ""]).encode()
        self.answer(200, body, "text/plain; version=0.0.4; charset=utf-8")


def _lines(scrape: int) -> Iterator[str]:
    for metric in CATALOGUE.values():
        yield f"# TYPE {metric.name} {metric.kind}"
        for labels in _labels(metric):
            yield from _samples(metric, labels, scrape)


def _labels(metric: Metric) -> Iterator[str]:
    values = (VALUES.get(label, ("some",)) for label in metric.labels)
    for each in itertools.product(*values):
        yield ",".join(f'{label}="{value}"' for label, value in zip(metric.labels, each, strict=True))


def _samples(metric: Metric, labels: str, scrape: int) -> Iterator[str]:
    match metric.kind:
        case Kind.GAUGE:
            yield f"{metric.name}{{{labels}}} 1"
        case Kind.COUNTER:
            yield f"{metric.name}_total{{{labels}}} {scrape}"
        case Kind.HISTOGRAM:
            for bound in (*metric.buckets, "+Inf"):
                yield f'{metric.name}_bucket{{{labels}{"," if labels else ""}le="{bound}"}} {scrape}'
            yield f"{metric.name}_sum{{{labels}}} {scrape}"
            yield f"{metric.name}_count{{{labels}}} {scrape}"
