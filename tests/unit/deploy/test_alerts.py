"""The alerts of deploy/prometheus: each is tested, explained, and asks for what exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.plain_yaml import Yaml, read_yaml
from tests.promql import labels_of, mistakes_in, named_in

_ROOT = Path(__file__).parents[3]
_PROMETHEUS = _ROOT / "deploy" / "prometheus"
_RUNBOOK = (_ROOT / "docs" / "runbook.md").read_text()
_RULES: dict[str, Yaml] = {
    rule["alert"]: rule
    for file in sorted((_PROMETHEUS / "alerts").glob("*.yml"))
    for group in read_yaml(file)["groups"]
    for rule in group["rules"]
}
_ASKED = [
    asked
    for file in sorted((_PROMETHEUS / "tests").glob("*.yml"))
    for test in read_yaml(file)["tests"]
    for asked in test["alert_rule_test"]
]


def test_promtool_takes_the_configuration_and_every_rule() -> None:
    told = promtool("check", "config", str(_PROMETHEUS / "prometheus.yml"))
    assert sum(map(int, re.findall(r"(\d+) rules found", told))) == len(_RULES)


def test_every_alert_fires_over_its_limit_and_is_silent_below() -> None:
    files = sorted(map(str, (_PROMETHEUS / "tests").glob("*.yml")))
    assert promtool("test", "rules", *files).count("SUCCESS") == len(files)


def test_a_rule_that_is_off_its_limit_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(_PROMETHEUS, tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "alerts" / "dead_letters.yml"
    text = rules.read_text()
    assert text.count("> 1000") == 1
    rules.write_text(text.replace("> 1000", "> 1001"))
    with pytest.raises(AssertionError, match="PayferryDeadLettersMany"):
        promtool("test", "rules", str(tmp_path / "tests" / "dead_letters.yml"))


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    fires = {asked["alertname"] for asked in _ASKED if "exp_alerts" in asked}
    silent = {asked["alertname"] for asked in _ASKED if "exp_alerts" not in asked}
    assert fires == silent == _RULES.keys()


@pytest.mark.parametrize("name", _RULES)
def test_an_alert_says_how_urgent_it_is_what_it_means_and_where_to_read_on(name: str) -> None:
    rule = _RULES[name]
    assert re.fullmatch(r"Payferry([A-Z][a-z]+)+", name)
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert f"\n## {name}\n" in _RUNBOOK


@pytest.mark.parametrize("name", _RULES)
def test_an_alert_asks_for_metrics_and_labels_that_exist(name: str) -> None:
    assert mistakes_in(_RULES[name]["expr"]) == []


@pytest.mark.parametrize("name", _RULES)
def test_an_alert_speaks_of_labels_that_it_can_have(name: str) -> None:
    spoken = set(re.findall(r"\$labels\.(\w+)", str(_RULES[name]["annotations"])))
    named = named_in(_RULES[name]["expr"])
    whole = {label for metric in named.metrics for label in labels_of(metric)}
    assert spoken <= (named.grouped if "(" in _RULES[name]["expr"] else whole)


def test_the_runbook_has_a_section_for_each_alert_and_for_nothing_that_is_none() -> None:
    assert sorted(re.findall(r"^## (Payferry\w+)$", _RUNBOOK, re.MULTILINE)) == sorted(_RULES)


def test_the_page_on_monitoring_lists_every_alert_with_its_severity() -> None:
    page = (_ROOT / "docs" / "monitoring.md").read_text()
    listed = dict(re.findall(r"^\| `(Payferry\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert listed == {name: rule["labels"]["severity"] for name, rule in _RULES.items()}


def promtool(*words: str) -> str:
    """Return what it prints; an AssertionError holds what it says against our files."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; it comes with Debian's package prometheus")
    done = subprocess.run([found, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
