"""Samples of the fleet's metrics in the forms of prometheus_client."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from payments.metrics.catalogue import CATALOGUE, Kind
from workers.monitor.samples import Sample

Family = CounterMetricFamily | GaugeMetricFamily


class SampleCollector(Collector):
    """Yields what `read` gives at each scrape, as the catalogue describes it."""

    def __init__(self, read: Callable[[], Iterable[Sample]]) -> None:
        self._read = read

    def describe(self) -> Iterator[Family]:
        """Yield nothing, so that registering asks no server."""
        yield from ()

    def collect(self) -> Iterator[Family]:
        """Yield every metric that has a sample. Raises what `read` raises."""
        families: dict[str, Family] = {}
        for name, labels, value in self._read():
            family = families.get(name) or families.setdefault(name, _family(name))
            family.add_metric(labels, value)
        yield from families.values()


def as_text(read: Callable[[], Iterable[Sample]]) -> str:
    """Return the samples in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SampleCollector(read))
    return generate_latest(registry).decode()


def _family(name: str) -> Family:
    metric = CATALOGUE[name]
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.about, labels=metric.labels)
