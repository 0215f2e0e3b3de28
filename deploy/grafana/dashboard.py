"""A dashboard: rows of panels, laid out from left to right, and the JSON that Grafana wants of it."""

import msgspec

from deploy.grafana.panel import WHOLE_WIDTH, Json, Panel, panel_json


class Row(msgspec.Struct, frozen=True):
    """Panels under a title."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(msgspec.Struct, frozen=True):
    """Rows. `uid` is the dashboard's name in addresses, and in the name of its file."""

    uid: str
    title: str
    rows: tuple[Row, ...]


def dashboard_json(dashboard: Dashboard) -> Json:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": "Made by `python -m deploy.grafana`; change deploy/grafana/*.py.",
        "tags": ["payferry"],
        "schemaVersion": 39,
        "editable": False,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["payferry"], "title": "Payferry", "keepTime": True}],
        "panels": _placed(dashboard.rows),
    }


def _placed(rows: tuple[Row, ...]) -> list[Json]:
    placed: list[Json] = []
    top = 0
    for row in rows:
        placed.append(_heading(row.title, len(placed) + 1, top))
        top += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > WHOLE_WIDTH:
                top, x, height = top + height, 0, 0
            placed.append(panel_json(panel, len(placed) + 1, x, top))
            x, height = x + panel.width, max(height, panel.height)
        top += height
    return placed


def _heading(title: str, number: int, top: int) -> Json:
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": False,
        "gridPos": {"x": 0, "y": top, "w": WHOLE_WIDTH, "h": 1},
        "panels": [],
    }
