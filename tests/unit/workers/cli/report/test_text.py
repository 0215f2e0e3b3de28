"""A report at the terminal: the numbers of the JSON, in the forms of the page."""

import io

import pytest
from rich.console import Console

from payments.flows.report.report import Report
from tests.reports import busy, changed, quiet
from workers.cli.report_forms import looked_up, rate, seconds, written
from workers.cli.report_text import show


def text_of(report: Report) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("told", "form", "text"),
    [
        (1234567, "number", "1,234,567"),
        (None, "rate", "n/a"),
        (0.0, "rate", "0.0 %"),
        (0.0004, "rate", "< 0.1 %"),
        (0.9744, "rate", "97.4 %"),
        (0.9996, "rate", "> 99.9 %"),
        (1.0, "rate", "100.0 %"),
        (0.25, "seconds", "0.25 s"),
        (90.0, "seconds", "90 s"),
        (3600.0, "length", "1 hour"),
        (300.0, "length", "5 minutes"),
        ("1234567.80", "amount", "1,234,567.80"),
        ("1250", "amount", "1,250"),
        ("2026-05-04T12:30:59Z", "clock", "2026-05-04 12:30"),
        ("half_open", "words", "half open"),
    ],
)
def test_each_value_has_one_form(told: object, form: str, text: str) -> None:
    assert written(told, form) == text


def test_a_share_that_is_not_whole_is_never_told_as_whole() -> None:
    assert rate(9_999_999 / 10_000_000) == "> 99.9 %"
    assert rate(1 / 10_000_000) == "< 0.1 %"
    assert seconds(0.0) == "0.00 s"


def test_a_path_leads_through_objects_and_lists_and_names_with_points() -> None:
    assert looked_up({"a": [{"b.c": 7}]}, "a.0.b%2Ec") == 7
    assert looked_up({"b%2Ec": 7}, "b%252Ec") == 7


@pytest.mark.parametrize("told", ["[/red]", "[bold]x", "\x1b[2J"])
def test_nothing_that_is_quoted_steers_the_terminal(told: str) -> None:
    report = changed(changed(quiet(), "breakers", None), "breakers_unknown", told)
    report = changed(report, "dead_letters.came_in_by_reason", {told: 41})
    text = text_of(report)
    assert text.count(repr(told)[1:-1]) == 2
    assert "\x1b" not in text


def test_the_terminal_tells_the_numbers_of_the_report() -> None:
    text = " ".join(text_of(busy()).split())
    for told in (
        "events ended 1,950: 1,900 settled, 40 declined, 3 dead, 7 rejected",
        "errors 2,100 (2,100.0 an hour)",
        "2,000 95.2 % 29",
        "9 sent; 4 went well, 2 failed again: 66.7 %",
        "mean 12 s, median 0.50 s, p95 90 s, of 20 events",
        "EUR 28 12,345.67 5 50.00",
        "stripe 1 30 s 2.0 s closed",
        "10, 1 of them critical",
        "rising: 100 in the earlier half, 2,000 in the later",
    ):
        assert told in text
    for each in busy().recommendations:
        assert " ".join(each.found.split()) in text


def test_a_report_of_nothing_says_so() -> None:
    text = text_of(quiet())
    for told in ("nothing failed", "no rule has anything to say", "all were closed all the time", "nothing ended"):
        assert told in text


def test_words_that_would_steer_a_terminal_do_not() -> None:
    assert "\x1b[2J" not in text_of(changed(busy(), "breakers_unknown", "\x1b[2J"))
    assert "\x1b[2J" not in text_of(changed(changed(busy(), "breakers", None), "breakers_unknown", "\x1b[2J"))
