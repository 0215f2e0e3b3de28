"""Wrong words end in one line on stderr that begins with our name, whatever the verb, and change nothing."""

import shlex
import sys

import pytest

from workers.cli.main import main

WRONG_WORDS = [
    "nothing",
    "watch --for nan",
    "watch --count x",
    "watch --provider visa",
    "watch --status gone",
    "watch --since yesterdayish",
    "watch --address nowhere",
    "watch extra words",
    "payments nothing",
    "payments get",
    "payments get pi_1",
    "payments list --limit -1",
    "payments list --limit x",
    "payments list --provider visa",
    "payments list --colour red",
    "payments history",
    "payment pi_1",
    "produce --count 0",
    "produce --rate 1 --interval 1",
    "produce --bad 2",
    "produce --provider visa",
    "demo --payments 0",
    "demo --workers x",
    "up --workers -1",
    "sandbox --port 0",
    "sandbox --error-rate 7",
    "breakers trip",
    "breakers nothing",
    "bridge nothing",
    "dlq show x",
    "dlq list --limit x",
    "policies --provider visa",
    "reconcile --since never",
    "migrate now",
    "relay --fast",
    "api --port x",
    "check everything",
    "status --yaml",
    "status x",
    "--version",
    "watch --cursor",
    "watch --cursor ''",
    "watch --customer ''",
    "watch --for -1",
    "watch --max-reconnects -1",
    "payments list --page-token ''",
    "payments list --all --page-token x",
    "payments list --until 99",
    "payments get a b",
    "payments get ''",
    "payments history stripe:",
    "payments get stripe:pi_1 --address nowhere",
    "payment",
    "payment :pi_1",
    "produce --file /nowhere",
    "sandbox --port x",
    "breakers trip --yes x y",
    "bridge resume --why",
    "dlq nothing",
    "dlq list --state gone",
    "dlq replay --all --rate fast",
    "dlq discard --all",
    "dlq edit 1 --set a",
    "dlq export",
    "policies --failure nobody",
    "flower --port x",
    "parse /nowhere",
    "parse --provider visa -",
]


@pytest.mark.parametrize("words", WRONG_WORDS)
def test_wrong_words_end_in_one_line(
    words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["payferry", *shlex.split(words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert ended.value.code == 2, (out, err)
    assert err.startswith("payferry: "), err
    assert err.count("\n") == 1, err
    assert "Value error" not in err
    assert out == ""


@pytest.mark.parametrize(
    ("words", "help_of"),
    [
        ("watch --cursor", "payferry watch"),
        ("payments list --customer", "payferry payments list"),
        ("nothing", "payferry"),
        ("dlq nothing", "payferry dlq"),
    ],
)
def test_the_line_names_the_help_that_helps(
    words: str, help_of: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["payferry", *words.split()])
    with pytest.raises(SystemExit):
        main()
    assert capfd.readouterr().err.endswith(f"; see `{help_of} --help`\n")


@pytest.mark.parametrize("words", ["", "payments", "dlq"])
def test_without_words_there_is_help_and_nothing_else(
    words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["payferry", *words.split()])
    with pytest.raises(SystemExit):
        main()
    out, err = capfd.readouterr()
    assert "Usage: payferry" in out
    assert err == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYMENT_EVENTS_RETENTION_DAYS", "inf"),
        ("DLQ_RETENTION_DAYS", "1e12"),
        ("API_TOKENS", "shop:read:short"),
        ("API_PORT", "70000"),
        ("PAYFERRY_API", "nowhere"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_of_our_own_words(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["payferry", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    err = capfd.readouterr().err
    assert ended.value.code == 2
    assert err.startswith(f"payferry: {name}: ")
    assert "Value error" not in err
    assert err.count("\n") == 1
