"""What the other tests here go by: which metrics and labels an expression names."""

import pytest

from tests.promql import mistakes_in, named_in


def test_metrics_are_told_from_functions_keywords_and_labels() -> None:
    named = named_in(
        'topk(3, sum by (le, job) (rate(payferry_task_seconds_bucket{state=~"a|by",task!="up"}[5m] offset 1h)))'
        " / on (job) group_left () up or vector(0) > bool 1.5e3 unless max(payferry_health)"
    )
    assert named.metrics == {"payferry_task_seconds_bucket", "up", "payferry_health"}
    assert named.selected == {("payferry_task_seconds_bucket", "state"), ("payferry_task_seconds_bucket", "task")}
    assert named.grouped == {"le", "job"}


def test_labels_before_and_behind_what_is_summed_are_read_alike() -> None:
    assert named_in("sum by (provider) (payferry_works_total)") == named_in("sum(payferry_works_total) by (provider)")


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("rate(payferry_works[5m])", "no metric: payferry_works"),
        ("max(payferry_inbox_oldest_due_second) > 1", "no metric: payferry_inbox_oldest_due_second"),
        ('payferry_works_total{reason="x"}', "payferry_works_total has no reason"),
        ("sum by (topic) (payferry_works_total)", "nothing here has topic"),
        ("sum by (le) (payferry_works_total)", "nothing here has le"),
    ],
)
def test_a_wrong_name_is_found(expression: str, mistake: str) -> None:
    assert mistakes_in(expression) == [mistake]
