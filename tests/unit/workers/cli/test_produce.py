"""Wrong use of `payferry produce` ends with exit 2 and a line that says what is wrong."""

import sys
from pathlib import Path

import pytest

from workers.cli.main import main
from workers.cli.produce import made_up


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--count", "0"), "--count"),
        (("--rate", "5", "--interval", "1"), "--interval"),
        (("--rate", "0"), "--rate"),
        (("--interval", "-1"), "--interval"),
        (("--bad", "1.5"), "--bad"),
        (("--provider", "acme"), "--provider"),
        (("--file", "missing.jsonl"), "missing.jsonl"),
    ],
)
def test_wrong_use_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["payferry", "produce", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capfd.readouterr().err
    assert named in said
    assert "Traceback" not in said


def test_a_folder_is_no_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that a long path does not tear the line
    monkeypatch.setattr(sys, "argv", ["payferry", "produce", "--file", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Is a directory" in capfd.readouterr().err


def test_the_same_seed_makes_the_same_records() -> None:
    assert (
        list(made_up("payments", 50, seed=1))
        == list(made_up("payments", 50, seed=1))
        != list(made_up("payments", 50, seed=2))
    )
