"""What a panel shows, and the JSON that Grafana wants of it."""

from typing import Any

import msgspec

Json = dict[str, Any]

WHOLE_WIDTH = 24
"""Of a dashboard, in Grafana's columns."""

_SOURCE = {"type": "prometheus", "uid": "prometheus"}  # the uid of provisioning/datasources/prometheus.yml


class Query(msgspec.Struct, frozen=True):
    """An expression of PromQL, and what its lines are called; `{{label}}` stands for a label's value."""

    expression: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel. `unit` is Grafana's name of it; `limits` are values from which on it is orange, and red.

    `words` tells what whole numbers from 0 on mean; they are then shown green, orange and red, in this order.
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    unit: str = "short"
    limits: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    width: int = 8
    height: int = 8


def lines(title: str, about: str, *queries: Query, unit: str = "short", width: int = 8) -> Panel:
    """Return a panel of lines over time."""
    return Panel(title=title, about=about, queries=queries, unit=unit, width=width)


def figure(title: str, about: str, expression: str, *limits: float, unit: str = "short") -> Panel:
    """Return a panel of one number, as it is now."""
    return Panel(
        title=title, about=about, queries=(Query(expression),), kind="stat", unit=unit, limits=limits, width=3, height=4
    )


def panel_json(panel: Panel, number: int, x: int, y: int) -> Json:
    """Return the panel as Grafana reads it, at a place."""
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": [_target(panel, query, name) for query, name in zip(panel.queries, "ABCDEFGH", strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }


def _target(panel: Panel, query: Query, name: str) -> Json:
    is_now = panel.kind == "stat"
    return {
        "refId": name,
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "instant": is_now,
        "range": not is_now,
    }


def _defaults(panel: Panel) -> Json:
    colors = ("green", "orange", "red")
    steps: list[Json] = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": limit} for limit, color in zip(panel.limits, colors[1:], strict=False)]
    options = {str(at): {"text": word, "color": colors[at]} for at, word in enumerate(panel.words)}
    return {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": options}] if options else [],
        "color": {"mode": "thresholds" if panel.limits or panel.words else "palette-classic"},
        "custom": {"fillOpacity": 10, "showPoints": "never"} if panel.kind == "timeseries" else {},
    }


def _options(panel: Panel) -> Json:
    match panel.kind:
        case "stat":
            return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "none"}
        case "state-timeline":
            return {"legend": {"displayMode": "list", "placement": "bottom"}, "mergeValues": True, "showValue": "auto"}
        case _:
            return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
