"""Which metrics and labels an expression of PromQL names.

No parser: Prometheus itself says whether an expression is right (tests/integration/test_prometheus.py). Names are told
from functions by what follows them, and from labels by where they stand.
"""

import re
from collections.abc import Iterator

import msgspec

from payments.metrics.catalogue import CATALOGUE, Metric
from payments.metrics.page import sample_names

OF_PROMETHEUS = {"up": ("job", "instance"), "ALERTS": ("alertname", "alertstate", "severity")}
"""What is no metric of ours, and is there all the same."""

_ADDED = {"job", "instance"}  # by Prometheus, to all that it reads
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|[\d.]+[a-z]*|[=!]~|[=!<>]=|\S')
_NAME = re.compile(r"[a-zA-Z_:]")
_LISTS_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_KEYWORDS = {"and", "or", "unless", "offset", "bool"}
_AGGREGATES = {"sum", "min", "max", "avg", "count", "topk", "bottomk", "quantile", "stddev"}


class Named(msgspec.Struct, frozen=True):
    """What one expression names. `selected` are pairs of a metric and a label that it is selected by, or none."""

    metrics: frozenset[str]
    selected: frozenset[tuple[str, str]]
    grouped: frozenset[str]


def named_in(expression: str) -> Named:
    """Return every metric and every label that an expression names."""
    words = _WORD.findall(expression)
    metrics, selected, grouped = set[str](), set[tuple[str, str]](), set[str]()
    place, metric = "", ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in "{}()":
            place = _place_after(word, place)
        elif not _NAME.match(word):
            continue
        elif place == "{":
            selected.add((metric, word))
        elif place == "list":
            grouped.add(word)
        elif word in _LISTS_LABELS:
            place = "before list"
        elif word not in _KEYWORDS | _AGGREGATES and following != "(":
            metric = word
            metrics.add(word)
    return Named(frozenset(metrics), frozenset(selected), frozenset(grouped))


def mistakes_in(expression: str) -> list[str]:
    """Return what an expression names that is neither in the catalogue nor Prometheus' own."""
    return list(_mistakes(named_in(expression)))


def metric_of(sample: str) -> Metric | None:
    """Return the metric of the catalogue that has samples of this name."""
    return _BY_SAMPLE.get(sample)


def labels_of(sample: str) -> set[str]:
    """Return the labels that a sample of this name can have."""
    metric = _BY_SAMPLE.get(sample)
    own = OF_PROMETHEUS.get(sample, ()) if metric is None else metric.labels
    return {*own, *_ADDED} | ({"le"} if sample.endswith("_bucket") else set())


def _place_after(word: str, place: str) -> str:
    if word == "(":
        return "list" if place == "before list" else ""
    return "{" if word == "{" else ""


def _mistakes(named: Named) -> Iterator[str]:
    yield from (f"no metric: {name}" for name in named.metrics if name not in {*_BY_SAMPLE, *OF_PROMETHEUS})
    yield from (f"{name} has no {label}" for name, label in named.selected if label not in labels_of(name))
    known = {label for name in named.metrics for label in labels_of(name)}
    yield from (f"nothing here has {label}" for label in named.grouped - known)


_BY_SAMPLE = {sample: metric for metric in CATALOGUE.values() for sample in sample_names(metric)}
