"""A real Prometheus that scrapes one process."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.running import Running
from workers.embedded.port import free_port

_CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: payferry
    static_configs:
      - targets: ["{target}"]
"""


class Prometheus(Running):
    """Debian's `prometheus`, scraping the server of `url` once a second. Skips the test where it is not installed."""

    def __init__(self, folder: Path, url: str) -> None:
        program = shutil.which("prometheus")
        if program is None:
            pytest.skip("Prometheus is not installed: apt-get install prometheus")
        config = folder / "prometheus.yml"
        config.write_text(_CONFIG.format(target=urlsplit(url).netloc))
        self._url = f"http://127.0.0.1:{free_port()}"
        address = self._url.removeprefix("http://")
        options = [
            f"--config.file={config}",
            f"--web.listen-address={address}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
        ]
        super().__init__([program, *options], {"HOME": os.devnull}, folder, "prometheus")

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series that the expression gives now; none while it does not answer."""
        try:
            answer = httpx.get(f"{self._url}/api/v1/query", params={"query": expression}, timeout=5)
        except httpx.TransportError:
            return []
        told: dict[str, Any] = answer.json()
        assert told["status"] == "success", told
        return [(each["metric"], float(each["value"][1])) for each in told["data"]["result"]]

    def sums(self, expression: str, label: str) -> dict[str, int]:
        """Return the sum of the series for each value of a label."""
        return {labels[label]: int(value) for labels, value in self.query(f"sum by ({label}) ({expression})")}

    def names(self) -> set[str]:
        """Return the names of all series that were ever scraped."""
        answer = httpx.get(f"{self._url}/api/v1/label/__name__/values", timeout=5)
        return set(answer.json()["data"])
