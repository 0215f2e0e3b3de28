"""The metrics of processes in Prometheus' text form, read from the files that they are kept in."""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from payments.metrics.catalogue import CATALOGUE
from payments.metrics.files import is_readable
from payments.metrics.place import OWNED, metrics_place
from workers.metrics.place import OWNER


def own_metrics() -> bytes:
    """Return what this process and its children have counted; empty where it is kept nowhere."""
    place = metrics_place()
    if place is None:
        return b""
    registry = CollectorRegistry()
    registry.register(FolderCollector(place.folder))
    return generate_latest(registry)


class FolderCollector(Collector):
    """Yields the metrics of one process and its children. Of one that has died only what it counted."""

    def __init__(self, folder: Path, **labels: str) -> None:
        self._folder = folder
        self._labels = labels

    def describe(self) -> Iterator[Metric]:
        """Yield nothing, so that registering reads no file."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with the labels of this collector, as the catalogue describes it."""
        files = [file for file in self._folder.glob("*.db") if self._tells(file) and is_readable(file)]
        for metric in MultiProcessCollector.merge(map(str, files)):  # type: ignore[no-untyped-call]
            if metric.name in CATALOGUE:  # an earlier version may have counted something else
                metric.documentation = CATALOGUE[metric.name].about
                metric.samples = [_with(sample, self._labels) for sample in metric.samples]
                yield metric

    def _tells(self, file: Path) -> bool:
        """Return whether what a file holds is so: counts always, and gauges while the process and its child live."""
        kind, _, rest = file.stem.partition("_")
        slot = rest.rpartition("_")[2]
        return kind != "gauge" or (_is_alive(self._folder / OWNER) and _is_alive(self._folder / f"{slot}{OWNED}"))


class MachineCollector(Collector):
    """Yields the metrics of every process that keeps them in `root`, each under the label `process`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def describe(self) -> Iterator[Metric]:
        """Yield nothing, so that registering reads no file."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once, with the samples of all."""
        found: dict[str, Metric] = {}
        for folder in sorted(self._root.glob("*/")):
            for metric in FolderCollector(folder, process=folder.name).collect():
                if metric.name in found:
                    found[metric.name].samples += metric.samples
                else:
                    found[metric.name] = metric
        yield from found.values()


def _with(sample: Sample, labels: dict[str, str]) -> Sample:
    return sample._replace(labels={**sample.labels, **labels})


def _is_alive(owner: Path) -> bool:
    """Return whether the process that a file names lives; one that is not ours to ask is taken to."""
    try:
        os.kill(int(owner.read_text()), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True
