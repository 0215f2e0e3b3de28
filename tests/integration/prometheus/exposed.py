"""A server that shows every metric of the catalogue, as a whole Payferry in full swing would."""

import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from payments.metrics.catalogue import CATALOGUE, Kind, Metric

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


class Exposed:
    """Serves on loopback until it is left. Counters go up by one with every scrape."""

    def __init__(self) -> None:
        scrapes = itertools.count(1)

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "\n".join([*_lines(next(scrapes)), ""]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def place(self) -> str:
        """Where it is, as Prometheus wants it."""
        return f"127.0.0.1:{self._server.server_port}"


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
