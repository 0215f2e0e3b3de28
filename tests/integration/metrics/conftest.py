"""A place for metrics, apart for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.metrics import meters
from payments.metrics.place import Place, keep_metrics_in
from tests.integration.metrics.places import owned


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Where this process keeps its metrics until the test ends."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    here = Place(owned(tmp_path / "worker-1", os.getpid()), "worker")
    keep_metrics_in(here)
    yield here
    keep_metrics_in(None)
    meters._made.clear()  # noqa: SLF001 - the next test has another place
