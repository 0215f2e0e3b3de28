"""What is written about the settings is what the settings are."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from config.catalogue import as_env, as_markdown, environment_names, main, sections
from config.settings import GROUPS, Group

_ROOT = Path(__file__).parents[3]


def test_the_example_environment_is_what_the_catalogue_prints() -> None:
    assert (_ROOT / ".env.example").read_text() == as_env() + "\n"


def test_the_page_on_configuration_is_what_the_catalogue_prints() -> None:
    assert (_ROOT / "docs" / "configuration.md").read_text() == as_markdown() + "\n"


def test_every_setting_is_listed_once() -> None:
    listed = [entry.names[0] for section in sections() for entry in section.entries]
    assert len(listed) == sum(len(group.model_fields) for group in GROUPS)
    assert [name for name, times in Counter(listed).items() if times > 1] == []


def test_every_setting_says_what_it_means() -> None:
    unexplained = [entry.names for section in sections() for entry in section.entries if not entry.about.endswith(".")]
    assert unexplained == []


def test_other_names_of_a_setting_are_listed_too() -> None:
    assert {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS", "CELERY_BROKER_URL", "REDIS_URL"} <= environment_names()


def test_the_example_copied_as_it_is_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment_names() & os.environ.keys():
        monkeypatch.delenv(name)
    assert [_told(group, tmp_path / "missing") for group in GROUPS] == [
        _told(group, _ROOT / ".env.example") for group in GROUPS
    ]


def test_the_example_with_every_line_in_force_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment_names() & os.environ.keys():
        monkeypatch.delenv(name)
    in_force = tmp_path / ".env"
    in_force.write_text("\n".join(line.removeprefix("#") for line in as_env().splitlines() if line[:2] != "# "))
    assert [_told(group, in_force) for group in GROUPS] == [_told(group, tmp_path / "missing") for group in GROUPS]


def test_the_command_prints_the_form_that_is_asked_for() -> None:
    command = [sys.executable, "-m", "config.catalogue", "env"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == as_env() + "\n"


def test_an_unknown_form_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xml"]) == 2
    assert "env | markdown" in capsys.readouterr().err


def _told(group: type[Group], file: Path) -> dict[str, object]:
    return group(_env_file=file).model_dump()  # type: ignore[call-arg]  # of BaseSettings, unseen by its own types
