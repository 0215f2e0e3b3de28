"""Flower's configuration, in the process in which Flower reads it, and the words that its pages show."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flower.views.tasks import TASK_COLUMNS  # type: ignore[import-untyped]  # Flower ships no types

import config
from config.flower_task import shown

OPTIONS = """
import json, sys
from flower.command import apply_env_options, apply_options
from flower.options import options
apply_env_options()
apply_options("flower", [f"--conf={sys.argv[1]}"])
print(json.dumps({name: value for name, value in options.items() if name != "format_task"}))
"""


def flower_with(**told: str) -> tuple[dict[str, Any], str]:
    """Return the options that Flower ends up with, and what was printed for a person."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    file = Path(config.__file__).with_name("flower.py")
    done = subprocess.run(
        [sys.executable, "-c", OPTIONS, str(file)],
        env={**inherited, **told},
        capture_output=True,
        text=True,
        check=False,
    )
    return (json.loads(done.stdout) if done.returncode == 0 else {}), done.stderr


def test_flower_listens_on_this_machine_alone_under_a_password_that_is_printed_and_only_shows() -> None:
    options, printed = flower_with()
    (login,) = options["basic_auth"]
    user, _, password = login.partition(":")
    assert (options["address"], options["port"], options["read_only"]) == ("127.0.0.1", 5555, True)
    assert f"user {user} password {password}" in printed
    assert len(password) >= 16
    assert flower_with()[0]["basic_auth"] != [login], "another one each time"


def test_flower_keeps_a_bounded_history_in_memory() -> None:
    options, _ = flower_with(FLOWER_MAX_TASKS="500")
    assert (options["max_tasks"], options["persistent"]) == (500, False)
    assert options["purge_offline_workers"] > 0


def test_what_somebody_has_set_holds_and_no_password_is_printed() -> None:
    options, printed = flower_with(
        FLOWER_BASIC_AUTH="jo:one,al:two", FLOWER_PORT="6000", FLOWER_READ_ONLY="false", FLOWER_URL_PREFIX="flower"
    )
    assert options["basic_auth"] == ["jo:one", "al:two"]
    assert (options["port"], options["read_only"], options["url_prefix"]) == (6000, False, "flower")
    assert "one" not in printed


@pytest.mark.parametrize("login", ["jo", "jo:", ":word", "jo:one,", "jö:wörd"])
def test_a_login_that_nobody_or_anybody_could_use_is_refused_and_not_quoted(login: str) -> None:
    options, printed = flower_with(FLOWER_BASIC_AUTH=login)
    assert options == {}
    assert "FLOWER_BASIC_AUTH" in printed
    assert "must be user:password" in printed


def test_every_column_is_one_that_flower_has() -> None:
    options, _ = flower_with()
    assert set(options["tasks_columns"].split(",")) <= TASK_COLUMNS.keys()


def task(**told: object) -> Any:  # noqa: ANN401 - as Flower's
    return SimpleNamespace(**{"state": "SUCCESS", "result": None, "exception": None, "traceback": None, **told})


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ("{'inbox_id': 288, 'provider': 'stripe', 'payment_id': 'pi_3Nk'}", "stripe pi_3Nk, event 288"),
        ("{'job_id': 7}", "job id 7"),
        ("{'is_tick': True}", "is tick True"),
        ("{}", ""),
        (None, ""),
        ("{'inbox_id': 288, 'provi...", "{'inbox_id': 288, 'provi..."),
    ],
)
def test_the_arguments_of_a_task_are_shown_in_words(kwargs: str | None, words: str) -> None:
    assert shown(task(kwargs=kwargs)).kwargs == words


def test_a_result_is_shown_in_words_and_a_failure_with_its_reason() -> None:
    assert shown(task(kwargs="{}", result="'buried: http_400'")).result == "buried: http_400"
    assert shown(task(kwargs="{}", result="{'freed': 0, 'woken': 2}")).result == "freed 0, woken 2"
    retried = shown(task(kwargs="{}", state="RETRY", exception="http_503, again in 2.0 s", traceback="…"))
    assert (retried.result, retried.traceback) == ("http_503, again in 2.0 s", None)
    failed = shown(task(kwargs="{}", state="FAILURE", exception="DataRefused('…')", traceback="…"))
    assert (failed.result, failed.traceback) == ("DataRefused('…')", "…")
