"""The few forms in which our dashboards ask Prometheus."""

from deploy.grafana.panel import Query


def rate(counter: str, *by: str, selected: str = "") -> str:
    """Return the rate a second of a counter that each process counts, summed up by some of its labels."""
    return f"sum{_by(by)} (rate({counter}{selected}[$__rate_interval]))"


def fleet(gauge: str, *by: str, selected: str = "") -> str:
    """Return a gauge of the fleet by its labels; where two monitors tell the same, one of them."""
    return f"max{_by(by)} ({gauge}{selected})"


def total(gauge: str, *by: str, selected: str = "") -> str:
    """Return the sum of a gauge over all processes."""
    return f"sum{_by(by)} ({gauge}{selected})"


def quantiles(histogram: str, *by: str) -> tuple[Query, ...]:
    """Return the 50th, 95th and 99th percentile of a histogram."""
    legend = "".join(f" {{{{{label}}}}}" for label in by)
    return tuple(
        Query(f"histogram_quantile({level}, {rate(f'{histogram}_bucket', 'le', *by)})", f"p{level[2:]:0<2}{legend}")
        for level in ("0.5", "0.95", "0.99")
    )


def high(histogram: str, *by: str) -> Query:
    """Return the 95th percentile of a histogram by some of its labels."""
    return quantiles(histogram, *by)[1]


def share(part: str, whole: str) -> str:
    """Return how much of the whole a part is: 0 where the part was never seen, nothing where there is no whole."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
