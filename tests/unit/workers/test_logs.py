import json
import os
import subprocess
import sys

import pytest

EMAIL = "jo@example.com"
PROGRAM = """
import sys
import structlog
from config.settings import LogSettings
from workers.logs import configure_logs

def fail(email):
    raise ValueError(len(email))

configure_logs(LogSettings())
try:
    fail(sys.argv[1])
except ValueError:
    structlog.get_logger().exception("payment_worked_off")
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_where_and_no_value_of_any_variable(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, EMAIL],
        env={**os.environ, "LOG_FORMAT": form},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "ValueError: 14" in done.stderr
    assert "in fail" in done.stderr
    assert EMAIL not in done.stderr
    if form == "json":
        assert json.loads(done.stderr)["event"] == "payment_worked_off"
