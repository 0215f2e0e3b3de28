"""Dead letters as metrics: the numbers of `payferry dlq stats`, asked for anew at every scrape."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from payments.ledger.dead_letters.statistics import Statistics

STATES = ("pending", "replaying", "parked", "resolved", "discarded")
_OPEN_BY = ("reason", "service", "provider", "failure_type", "category")


class DeadLetterCollector(Collector):
    """Yields what `read` returns. All are gauges: a purge takes from every one of them."""

    def __init__(self, read: Callable[[], Statistics]) -> None:
        self._read = read

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield nothing, so that registering asks no ledger."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric. Raises DatabaseAway."""
        told = self._read()
        yield _by("payferry_dead_letters", "Dead letters.", "state", dict.fromkeys(STATES, 0) | told.by_state)
        for label in _OPEN_BY:
            about = f"Dead letters that are pending, replaying or parked, by {label.replace('_', ' ')}."
            yield _by(f"payferry_dead_letters_open_by_{label}", about, label, getattr(told, f"by_{label}"))
        yield from _figures(told)
        yield _by("payferry_dead_letter_replays", "Replays that have ended.", "result", _replays(told))
        windows = {"1m": told.last_minute, "1h": told.last_hour}
        came_in = {window: rates.came_in for window, rates in windows.items()}
        went_out = {window: rates.went_out for window, rates in windows.items()}
        yield _by("payferry_dead_letters_came_in", "Buried within the window.", "window", came_in)
        yield _by("payferry_dead_letters_went_out", "Resolved or discarded within the window.", "window", went_out)


def as_text(read: Callable[[], Statistics]) -> str:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DeadLetterCollector(read))
    return generate_latest(registry).decode()


def _by(name: str, about: str, label: str, numbers: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for value, number in numbers.items():
        family.add_metric([value], number)
    return family


def _figures(told: Statistics) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily("payferry_dead_letters_critical", "Open ones that a person must look at.", told.critical)
    about = "Seconds since the oldest open dead letter failed first; 0 if none is open."
    yield GaugeMetricFamily("payferry_dead_letters_oldest_open_seconds", about, told.oldest_open_seconds)
    if told.mttr_seconds is not None:
        about = "Mean seconds from the first failure to the resolution, of those that a replay resolved."
        yield GaugeMetricFamily("payferry_dead_letters_mttr_seconds", about, told.mttr_seconds)


def _replays(told: Statistics) -> dict[str, int]:
    return {"succeeded": told.replays_succeeded, "failed": told.replays_failed}
