"""Grafana's dashboards, written down in brief; `python -m deploy.grafana` makes the JSON that Grafana reads."""
