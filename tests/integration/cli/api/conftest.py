"""The verbs that go through the API, in this process, beside a twin of it."""

import sys
from collections.abc import Callable

import pytest

from tests.integration.client.conftest import twin  # noqa: F401 - a fixture
from tests.integration.client.twin import Twin
from tests.unit.workers.cli.conftest import _untouched  # noqa: F401 - a fixture
from workers.cli.main import main


class Said:
    """A command that has ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


Run = Callable[..., Said]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    twin: Twin,  # noqa: F811 - the fixture
) -> Run:
    """Return what runs `payferry` against the twin."""
    monkeypatch.setenv("PAYFERRY_API", twin.address)
    monkeypatch.setenv("PAYFERRY_API_TOKEN", "a-token-for-the-twin")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["payferry", *words])
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        else:
            code = 0
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return command
