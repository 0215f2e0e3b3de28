"""Whoever speaks, the log has one form, and quotes no payment."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

EMAIL, NAME, CARD = "jo@example.com", "Jo Q. Public", "4242424242424242"
QUOTED = (EMAIL, NAME, CARD)
BEGIN = """
import logging, sys, threading, warnings
import structlog
from config.settings import LogSettings
from workers.logs import configure_logs

def fail(*values):
    try:
        raise KeyError(values)
    except KeyError as error:
        raise ValueError(f"charged {values}") from error

configure_logs(LogSettings())
"""


def lines_of(program: str, form: str = "json", level: str = "info") -> list[str]:
    """Return what a process writes that gets the canaries as its arguments, however it ends."""
    env = {**os.environ, "LOG_FORMAT": form, "LOG_LEVEL": level}
    command = [sys.executable, "-c", BEGIN + program, *QUOTED]
    return subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, check=False).stderr.splitlines()


def told_of(program: str, level: str = "info") -> list[dict[str, Any]]:
    """Return the same, read: each line must be JSON."""
    return [json.loads(line) for line in lines_of(program, level=level)]


CAUGHT = """
try:
    fail(*sys.argv[1:])
except ValueError:
    {}.exception("it failed")
"""


@pytest.mark.parametrize("logger", ["structlog.get_logger()", "logging.getLogger('celery.app.trace')"])
@pytest.mark.parametrize("form", ["console", "json"])
def test_an_exception_is_told_by_its_type_and_place_and_quotes_nothing(form: str, logger: str) -> None:
    told = "\n".join(lines_of(CAUGHT.format(logger), form))
    assert "it failed" in told
    assert "ValueError" in told
    assert "caused by KeyError" in told
    assert "in fail" in told
    assert [canary for canary in QUOTED if canary in told] == []


UNCAUGHT = "fail(*sys.argv[1:])"
IN_A_THREAD = "threading.Thread(target=fail, args=sys.argv[1:]).start()"


@pytest.mark.parametrize("program", [UNCAUGHT, IN_A_THREAD])
def test_what_nobody_has_caught_is_a_line_like_all_others(program: str) -> None:
    (told,) = told_of(program)
    assert (told["event"], told["level"], told["exception"]) == ("uncaught", "critical", "ValueError")
    assert [canary for canary in QUOTED if canary in repr(told)] == []


@pytest.mark.parametrize(
    "name", ["celery.worker.consumer", "kombu.transport", "httpx", "uvicorn.error", "grpc._server"]
)
def test_a_library_says_its_name_and_what_it_quotes_is_redacted(name: str) -> None:
    (told,) = told_of(f"logging.getLogger({name!r}).warning('the body was %s %s', *sys.argv[1::2])")
    assert told.pop("timestamp")
    assert told == {"event": "the body was [email] [card]", "level": "warning", "logger": name}


@pytest.mark.parametrize(
    "name", ["celery.worker.strategy", "kombu.connection", "httpx", "httpcore.http11", "uvicorn.access"]
)
def test_below_a_warning_a_library_says_nothing_however_much_we_say(name: str) -> None:
    said = f"logging.getLogger({name!r}).info('GET /x'); structlog.get_logger().debug('payment_worked_off')"
    assert [line["event"] for line in told_of(said, level="debug")] == ["payment_worked_off"]
    assert told_of(said) == []


def test_a_warning_of_python_is_a_line_like_all_others() -> None:
    (told,) = told_of("warnings.warn('old')")
    assert (told["logger"], told["level"]) == ("py.warnings", "warning")
