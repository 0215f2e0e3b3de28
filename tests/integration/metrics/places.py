"""Metrics read back from the folder in which processes keep them."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from workers.metrics.exposition import own_metrics
from workers.metrics.place import OWNER


def samples() -> Iterator[Sample]:
    """Yield every sample that this process and its children show."""
    for family in text_string_to_metric_families(own_metrics().decode()):
        yield from family.samples


def value(name: str, **labels: str) -> float:
    """Return the sum of the samples of that name which have at least these labels."""
    return sum(sample.value for sample in samples() if sample.name == name and labels.items() <= sample.labels.items())


def owned(folder: Path, pid: int) -> Path:
    """Return a new folder that belongs to the process `pid`."""
    folder.mkdir()
    (folder / OWNER).write_text(str(pid))
    return folder
