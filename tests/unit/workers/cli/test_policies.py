"""`payferry policies` prints what is in force, and why."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from config.settings import POLICY_PREFIX, SettingsError, load_settings
from payments.policies import KINDS
from workers.cli.policies import as_markdown, policies, policies_of

_PAGE = Path(__file__).parents[4] / "docs" / "policies.md"


@pytest.fixture(autouse=True)
def _no_policy_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.upper().startswith(POLICY_PREFIX):
            monkeypatch.delenv(name)


def run(*options: str) -> Result:
    app = typer.Typer()
    app.command()(policies)
    return CliRunner().invoke(app, options)


def told(*options: str) -> dict[str, Any]:
    done = run("--json", *options)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_type_of_failure_is_told_with_where_each_key_comes_from() -> None:
    found = told()
    assert list(found["failures"]) == list(KINDS)
    wanted = {"value": 3, "section": "failures.transient", "source": "default"}
    assert found["failures"]["conflict"]["retries"] == wanted
    assert found["breakers"]["database"]["failure_rate"]["value"] == 0.6
    assert found["rate_limits"]["stripe"]["calls_per_second"]["section"] == "rate_limits.stripe"
    assert found["retry_budgets"]["paypal"]["share"]["section"] == "retry_budgets.default"
    assert found["fallbacks"]["read"] == {"value": "last_known", "section": "fallbacks", "source": "default"}
    assert found["breaker_open_action"] == "wait"


def test_one_provider_is_told_with_what_holds_there_alone() -> None:
    found = told("--provider", "stripe", "--failure", "rate_limited")
    assert (found["provider"], list(found["failures"]), list(found["breakers"])) == (
        "stripe",
        ["rate_limited"],
        ["stripe"],
    )
    base = found["failures"]["rate_limited"]["base_seconds"]
    assert base == {"value": 1.0, "section": "providers.stripe.failures.rate_limited", "source": "default"}


def test_a_value_that_somebody_told_names_its_variable_or_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[breakers.stripe]\nopen_seconds = 10\n")
    monkeypatch.setenv("PAYFERRY_POLICIES", str(own))
    monkeypatch.setenv("PAYFERRY_POLICY__FAILURES__TRANSIENT__RETRIES", "5")
    monkeypatch.setenv("BACKOFF_CAP_SECONDS", "9")
    found = told()
    conflict = found["failures"]["conflict"]
    assert conflict["retries"]["source"] == "PAYFERRY_POLICY__FAILURES__TRANSIENT__RETRIES"
    assert (conflict["cap_seconds"]["value"], conflict["cap_seconds"]["source"]) == (9.0, "BACKOFF_CAP_SECONDS")
    assert found["breakers"]["stripe"]["open_seconds"]["source"] == str(own)


def test_people_see_a_line_for_each_failure_and_what_is_not_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "not as Payferry comes" not in run().output
    monkeypatch.setenv("PAYFERRY_POLICY__BREAKERS__STRIPE__OPEN_SECONDS", "10")
    lines = [line.split() for line in run().output.splitlines()]
    assert [line[0] for line in lines if line and line[0] in KINDS and "retries" not in line] == list(KINDS)
    assert ["serialization_failure", "3", "0.05,", "0.1,", "0.15"] in [line[:5] for line in lines]
    assert ["breakers.stripe.open_seconds", "10", "PAYFERRY_POLICY__BREAKERS__STRIPE__OPEN_SECONDS"] in lines


def test_people_see_why_one_failure_is_answered_as_it_is() -> None:
    lines = [line.split() for line in run("--failure", "deadlock", "--provider", "paypal").output.splitlines()]
    assert ["deadlock", "at", "paypal"] in lines
    assert ["backoff", "fibonacci", "[failures.write_conflict]", "default"] in lines
    assert ["burns_attempt", "true", "[failures.failure]", "default"] in lines


def test_an_unknown_failure_is_a_usage_error_that_names_the_nearest() -> None:
    done = run("--failure", "rate_limitd")
    assert done.exit_code == 2
    assert "did you mean rate_limited?" in done.output


def test_a_policy_that_cannot_be_is_a_wrong_setting_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYFERRY_POLICY__BREAKERS__STRIPE__OPEN_SECONDS", "x")
    with pytest.raises(SettingsError) as refused:
        policies_of(load_settings())
    assert str(refused.value) == (
        'breakers.stripe.open_seconds: expected a number above 0 and at most 86400, got "x" '
        "(from PAYFERRY_POLICY__BREAKERS__STRIPE__OPEN_SECONDS)"
    )
    assert isinstance(run().exception, SettingsError)


def test_the_page_on_policies_holds_the_table_that_is_printed() -> None:
    printed = run("--markdown").stdout
    assert printed == as_markdown(policies_of(load_settings())) + "\n"
    assert _PAGE.read_text().endswith(f"\n\n{printed}"), "print it again: payferry policies --markdown"
