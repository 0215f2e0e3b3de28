"""The catalogue of metrics, and what it promises of each."""

import re

import pytest

from payments.metrics.catalogue import CATALOGUE, Kind, Metric, Source

EVERY = pytest.mark.parametrize("metric", CATALOGUE.values(), ids=CATALOGUE)
IDS = re.compile(r"(^|_)(id|key|email|customer|payment|event_id|client|host|pid)($|_)")


@EVERY
def test_a_metric_is_named_as_prometheus_wants_it(metric: Metric) -> None:
    assert re.fullmatch(r"payferry_[a-z_]+[a-z]", metric.name)
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket")), "the library adds that"
    assert metric.about.endswith(".")


@EVERY
def test_no_label_names_a_payment_a_person_or_a_process(metric: Metric) -> None:
    assert [label for label in metric.labels if IDS.search(label)] == []


@EVERY
def test_only_a_histogram_has_buckets_and_they_rise(metric: Metric) -> None:
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_what_is_timed_is_in_seconds() -> None:
    timed = [metric.name for metric in CATALOGUE.values() if metric.kind is Kind.HISTOGRAM]
    assert [name for name in timed if not name.endswith(("_seconds", "_records"))] == []


def test_there_are_metrics_of_processes_and_of_the_fleet() -> None:
    assert {metric.source for metric in CATALOGUE.values()} == set(Source)
