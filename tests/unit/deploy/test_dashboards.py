"""Grafana's dashboards: they are what is written down, and ask for what exists."""

import json
from pathlib import Path

import pytest

from deploy.grafana.__main__ import DASHBOARDS, FOLDER, path_of, text_of
from deploy.grafana.dashboard import Dashboard, dashboard_json
from deploy.grafana.panel import WHOLE_WIDTH, Json
from payments.metrics.catalogue import CATALOGUE
from tests.plain_yaml import read_yaml
from tests.promql import metric_of, mistakes_in, named_in

_SOURCE = Path(__file__).parents[3] / "deploy/grafana/provisioning/datasources/prometheus.yml"

LEFT_OUT = {
    "payferry_breaker_transitions": "each process tells of a change that it sees, so one change counts many times",
}
"""Metrics that no panel shows, and why."""

_BY_UID = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)


def test_what_grafana_reads_is_what_is_written_down() -> None:
    assert {path: path.read_text() for path in FOLDER.iterdir()} == {
        path_of(each): text_of(each) for each in DASHBOARDS
    }


@_BY_UID
def test_every_panel_asks_for_metrics_and_labels_that_exist(dashboard: Dashboard) -> None:
    assert [mistake for each in expressions_of(dashboard) for mistake in mistakes_in(each)] == []


def test_every_metric_is_shown_or_left_out_for_a_reason() -> None:
    samples = {sample for each in DASHBOARDS for told in expressions_of(each) for sample in named_in(told).metrics}
    shown = {metric.name for metric in map(metric_of, samples) if metric is not None}
    assert CATALOGUE.keys() - shown == LEFT_OUT.keys()


@_BY_UID
def test_panels_lie_beside_each_other_and_never_over_each_other(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard_json(dashboard)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WHOLE_WIDTH
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        taken |= cells


@_BY_UID
def test_every_panel_says_what_it_shows_and_reads_where_grafana_is_told_to(dashboard: Dashboard) -> None:
    [source] = read_yaml(_SOURCE)["datasources"]
    panels = panels_of(json.loads(path_of(dashboard).read_text()))
    assert panels
    assert [panel["title"] for panel in panels if not panel["description"].endswith(".")] == []
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["title"] for panel in panels}) == len(panels)


@_BY_UID
def test_a_legend_names_labels_that_its_lines_have(dashboard: Dashboard) -> None:
    for panel in panels_of(dashboard_json(dashboard)):
        for target in panel["targets"]:
            spoken = {part.partition("}}")[0] for part in target["legendFormat"].split("{{")[1:]}
            assert spoken <= named_in(target["expr"]).grouped, panel["title"]


def panels_of(dashboard: Json) -> list[Json]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions_of(dashboard: Dashboard) -> list[str]:
    return [target["expr"] for panel in panels_of(dashboard_json(dashboard)) for target in panel["targets"]]
