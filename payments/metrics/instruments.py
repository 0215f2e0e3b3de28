"""The metrics of one process, to be counted, held and timed by the names of the catalogue."""

import platform
import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from payments.metrics.catalogue import CATALOGUE, Kind, Metric, Source
from payments.metrics.files import FilledFile
from payments.metrics.place import Place
from payments.redaction import redacted

OTHER = "other"
"""What a label says in place of a value that may not be one, or of one too many."""

_MOST_SERIES = 250
"""Of one metric in one slot, over all who have had it. There are far fewer, unless a provider makes up codes."""

_VALUE = re.compile(r"(?!.*\d{7})\w[\w .:/-]{0,79}", re.ASCII)


class Instruments:
    """Build it after the fork, once in a process. Its methods may be called by any thread.

    All raise OSError, the building too, where the disk is full.
    """

    def __init__(self, place: Place, slot: str) -> None:
        place.take(slot)
        values.MmapedDict = FilledFile  # type: ignore[attr-defined]
        values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()  # nobody collects from it: whoever is asked reads the files
        ours = [metric for metric in CATALOGUE.values() if metric.source is Source.PROCESS]
        self._families = {metric.name: _family(metric, registry) for metric in ours}
        self._series: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._known = place.known(slot)
        self.hold("payferry_build_info", 1, version("payferry"), platform.python_version(), place.role)

    def count(self, name: str, *labels: object, by: float = 1.0) -> None:
        """Add to a counter."""
        self._one(name, labels).inc(by)

    def hold(self, name: str, value: float, *labels: object) -> None:
        """Set a gauge."""
        self._one(name, labels).set(value)

    def change(self, name: str, by: float, *labels: object) -> None:
        """Add to a gauge, or take from it."""
        self._one(name, labels).inc(by)

    def observe(self, name: str, value: float, *labels: object) -> None:
        """Add a value to a histogram."""
        self._one(name, labels).observe(value)

    def begin(self, name: str, labels: Iterable[tuple[str, ...]]) -> None:
        """Let these series stand at 0, so that the first count is seen to be one."""
        for each in labels:
            self._one(name, each)

    def _one(self, name: str, labels: tuple[object, ...]) -> Any:  # noqa: ANN401 - a counter, gauge or histogram
        key = name, tuple(map(str, labels))
        found = self._series.get(key)
        return found if found is not None else self._made(*key)

    def _made(self, name: str, labels: tuple[str, ...]) -> Any:  # noqa: ANN401 - likewise
        family = self._families[name]
        if not labels:
            return family
        told = tuple(map(_clean, labels))
        known = self._known.setdefault(name, set())
        if told not in known and len(known) >= _MOST_SERIES:
            return family.labels(*[OTHER] * len(labels))
        known.add(told)
        series = family.labels(*told)
        if told == labels:  # what may not stand in a label has no end, and is not to be remembered
            self._series[name, labels] = series
        return series


def _clean(value: str) -> str:
    """Return a value that may stand in a label: a brief word, nobody's number, address or key."""
    return value if _VALUE.fullmatch(value) and redacted(value) == value else OTHER


def _family(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    match metric.kind:
        case Kind.COUNTER:
            return Counter(metric.name, metric.about, metric.labels, registry=registry)
        case Kind.GAUGE:
            mode: Any = metric.adds
            return Gauge(metric.name, metric.about, metric.labels, registry=registry, multiprocess_mode=mode)
        case Kind.HISTOGRAM:
            return Histogram(metric.name, metric.about, metric.labels, registry=registry, buckets=metric.buckets)
