"""docs/metrics.md is what the catalogue says."""

from pathlib import Path

from payments.metrics.catalogue import CATALOGUE
from payments.metrics.page import as_markdown, sample_names

_ROOT = Path(__file__).parents[4]


def test_the_page_on_metrics_is_what_the_catalogue_prints() -> None:
    assert (_ROOT / "docs" / "metrics.md").read_text() == as_markdown() + "\n"


def test_every_metric_has_a_row_under_the_name_by_which_it_is_found() -> None:
    page = as_markdown()
    assert [
        name for name, metric in CATALOGUE.items() if page.count(f"\n| `{_shown(name)}` | {metric.kind} |") != 1
    ] == []


def test_no_two_metrics_have_samples_of_the_same_name() -> None:
    samples = [sample for metric in CATALOGUE.values() for sample in sample_names(metric)]
    assert len(samples) == len(set(samples)) > len(CATALOGUE)


def _shown(name: str) -> str:
    sample = sample_names(CATALOGUE[name])[0]
    return name if sample.endswith("_bucket") else sample
