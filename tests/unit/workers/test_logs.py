import json
import logging

import pytest
import structlog

from config.settings import LogSettings
from workers.logs import configure_logs

EMAIL = "jo@example.com"


@pytest.fixture(params=["console", "json"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the form in which logs are written from now on; it needs the capturing to be in place."""
    del capsys
    monkeypatch.setenv("LOG_FORMAT", request.param)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    configure_logs(LogSettings())
    return str(request.param)


def test_a_traceback_shows_where_and_no_value_of_any_variable(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        fail(EMAIL)
    except ValueError:
        structlog.get_logger().exception("payment_worked_off")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "test_logs.py" in said
    assert EMAIL not in said
    if form == "json":
        assert json.loads(said)["event"] == "payment_worked_off"


def fail(email: str) -> None:
    raise ValueError(len(email))
