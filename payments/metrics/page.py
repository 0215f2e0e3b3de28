"""The metrics as a page for people: `python -m payments.metrics.page` prints docs/metrics.md."""

import sys

from payments.metrics.catalogue import CATALOGUE, Kind, Metric, Source

_SUFFIXES = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}


def sample_names(metric: Metric) -> tuple[str, ...]:
    """Return the names under which Prometheus finds the samples of a metric."""
    return tuple(metric.name + suffix for suffix in _SUFFIXES[metric.kind])


def as_markdown() -> str:
    """Return docs/metrics.md."""
    return "\n".join([_HEAD, *(_section(source) for source in (Source.FLEET, Source.PROCESS))])


def _section(source: Source) -> str:
    rows = (_row(metric) for metric in CATALOGUE.values() if metric.source is source)
    return "\n".join([_TITLES[source], *rows])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    suffix = _SUFFIXES[Kind.COUNTER][0] if metric.kind is Kind.COUNTER else ""
    return f"| `{metric.name}{suffix}` | {metric.kind} | {labels} | {metric.about} |"


_HEAD = """\
# Metrics

Every metric of Payferry. [monitoring.md](monitoring.md) tells who exports what, and how to read it. A histogram has
`_bucket`, `_sum` and `_count` behind its name. No label holds an id, and none holds anything of a person.

This page is printed by `python -m payments.metrics.page`; a test compares the two."""

_TABLE = "| metric | kind | labels | meaning |\n|---|---|---|---|"

_TITLES = {
    Source.FLEET: f"""
## Of the whole fleet

Told by the monitor, which reads them in the ledger, in Redis and in Kafka. What it cannot read is absent, and
`payferry_dependency_up` says why. Where two monitors run, both tell the same: take `max`, not `sum`.

{_TABLE}""",
    Source.PROCESS: f"""
## Of each process

Told by every process of what it does itself. A counter begins anew with its process: take `rate`, then `sum`.

{_TABLE}""",
}


if __name__ == "__main__":
    sys.stdout.write(as_markdown() + "\n")
