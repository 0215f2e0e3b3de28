"""Writes every dashboard: `python -m deploy.grafana`."""

import json
from pathlib import Path

from deploy.grafana.dashboard import Dashboard, dashboard_json
from deploy.grafana.dead_letters import DEAD_LETTERS
from deploy.grafana.overview import OVERVIEW
from deploy.grafana.streams import STREAMS

DASHBOARDS = (OVERVIEW, DEAD_LETTERS, STREAMS)
FOLDER = Path(__file__).parent / "dashboards"


def path_of(dashboard: Dashboard) -> Path:
    """Return the file of a dashboard."""
    return FOLDER / f"{dashboard.uid}.json"


def text_of(dashboard: Dashboard) -> str:
    """Return what is to be in that file."""
    return json.dumps(dashboard_json(dashboard), indent=1) + "\n"


if __name__ == "__main__":
    for each in DASHBOARDS:
        path_of(each).write_text(text_of(each))
