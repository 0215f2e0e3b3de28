"""What runs beside Payferry: Prometheus with its alerts, Grafana with its dashboards."""
