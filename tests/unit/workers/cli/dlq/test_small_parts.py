"""Rates, differences, and texts that must not steer a terminal."""

import pytest

from config.policies import told_policies
from config.settings import load_settings
from payments.flows.dead_letters.plan import seconds_of
from payments.policy_check import load_policies
from workers.cli.dlq.edit import diff_of
from workers.cli.dlq.replay import rate_in
from workers.cli.terminal.tables import counts, largest_first, many, plain


@pytest.mark.parametrize(("told", "rate"), [("50", 50.0), ("50/s", 50.0), ("0.5/s", 0.5), (" 7 ", 7.0)])
def test_a_rate_is_a_number_a_second(told: str, rate: float) -> None:
    assert rate_in(told) == rate


@pytest.mark.parametrize("told", ["", "0", "0/s", "-1", "fast", "5/m", "1e9", "inf", "10000000"])
def test_what_is_no_rate_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="50 or 50/s"):
        rate_in(told)


def test_json_is_compared_on_lines_of_its_own() -> None:
    assert list(diff_of(b'{"a":1,"b":2}', b'{ "a" : 1, "b" : 3}')) == [
        *("--- buried", "+++ edited", "@@ -1,4 +1,4 @@", " {", '   "a": 1,', '-  "b": 2', '+  "b": 3', " }"),
    ]


def test_what_is_no_json_is_compared_line_by_line() -> None:
    assert list(diff_of(b"one\ntwo\xff", b"one\ntwo"))[3:] == [" one", "-two\\xff", "+two"]


@pytest.mark.parametrize(
    ("told", "shown"),
    [("ä €", "ä €"), ("a\nb\tc", "a\nb\tc"), ("\x1b[2J\x07\r", r"\x1b[2J\x07\r"), ("\u202e", r"\u202e"), (7, "7")],
)
def test_nothing_that_is_shown_steers_the_terminal(told: object, shown: str) -> None:
    assert plain(told) == shown


def test_counts_are_told_on_one_line() -> None:
    assert counts(largest_first({"b": 1, "a": 1, "c": 2000})) == "2,000 c, 1 a, 1 b"
    assert counts({"a": 5, "b": 3, "c": 1, "d": 1}, 2) == "5 a, 3 b, 2 of 2 others"
    assert counts({"a": 5}, 2) == "5 a"
    assert (many(1), many(0), many(2, "archive")) == ("1 dead letter", "0 dead letters", "2 archives")


def test_the_lanes_of_providers_run_side_by_side_and_begin_with_a_burst() -> None:
    policies = load_policies(told_policies(load_settings()))
    assert seconds_of({"stripe": 1200, "paypal": 400, "unknown": 1}, None, policies) == 5.0
    assert seconds_of({"stripe": 100}, None, policies) == 0.0
    assert seconds_of({"stripe": 100, "paypal": 100}, 50.0, policies) == 4.0
    assert seconds_of({"stripe": 100}, 50.0, policies, superseded=50) == 1.0
    assert seconds_of({}, None, policies) == 0.0
