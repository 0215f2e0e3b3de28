"""A real Prometheus takes our rules, and answers what our dashboards ask."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.grafana.__main__ import DASHBOARDS, path_of
from tests.integration.kafka import eventually
from tests.integration.prometheus.exposed import Exposed
from tests.plain_yaml import read_yaml
from workers.embedded.port import free_port

_DEPLOY = Path(__file__).parents[3] / "deploy" / "prometheus"
_ALERTS = {
    rule["alert"]
    for file in (_DEPLOY / "alerts").glob("*.yml")
    for group in read_yaml(file)["groups"]
    for rule in group["rules"]
}
_CONFIG = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files:
  - {rules}
scrape_configs:
  - job_name: payferry-monitor
    static_configs:
      - targets:
          - {place}
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one that has read every metric of the catalogue a few times."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed; it comes with Debian's package prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    with Exposed() as exposed, httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
        config = folder / "prometheus.yml"
        config.write_text(_CONFIG.format(rules=_DEPLOY / "alerts" / "*.yml", place=exposed.place))
        server = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=(folder / "log").open("wb"),
        )
        try:
            eventually(lambda: _has_seen_enough(client), "three scrapes, and rules that were looked at")
            yield client
        finally:
            server.kill()
            server.wait()


def test_every_alert_is_evaluated_and_none_with_an_error(prometheus: httpx.Client) -> None:
    rules = _rules(prometheus)
    assert {rule["name"] for rule in rules} == _ALERTS
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}


def test_every_metric_that_an_alert_goes_by_is_found(prometheus: httpx.Client) -> None:
    asked = {
        selector for rule in _rules(prometheus) for selector in re.findall(r"payferry_\w+(?:\{[^}]*\})?", rule["query"])
    }
    assert len(asked) >= len(_ALERTS) - 2  # two go by `up`
    assert [selector for selector in asked if not _asked(prometheus, selector)] == []


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_every_panel_has_something_to_show(prometheus: httpx.Client, dashboard: Any) -> None:  # noqa: ANN401 - of no matter
    panels = json.loads(path_of(dashboard).read_text())["panels"]
    asked = {target["expr"]: panel["title"] for panel in panels for target in panel.get("targets", ())}
    empty = [title for expression, title in asked.items() if not _asked(prometheus, _filled_in(expression))]
    assert empty == []


def _asked(client: httpx.Client, expression: str) -> list[Any]:
    """Return what Prometheus finds; a mistake in the expression is an error of HTTP."""
    answer = client.get("/query", params={"query": expression})
    assert answer.status_code == httpx.codes.OK, f"{expression}: {answer.text}"
    found: list[Any] = answer.json()["data"]["result"]
    return found


def _filled_in(expression: str) -> str:
    """Return the expression with what Grafana puts in the place of its variables."""
    return expression.replace("$__rate_interval", "1m").replace("$__range", "1h")


def _has_seen_enough(client: httpx.Client) -> bool:
    try:
        if not client.get("/status/runtimeinfo").is_success:  # it listens before its storage is there
            return False
    except httpx.TransportError:
        return False
    seen = _asked(client, "count_over_time(up[1m]) >= 3")
    return bool(seen) and all(rule["health"] != "unknown" for rule in _rules(client))


def _rules(client: httpx.Client) -> list[dict[str, Any]]:
    groups = client.get("/rules").json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]
