"""An import that goes the wrong way fails `make test`, which begins with lint-imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
ROOMS = ("config", "payments", "tasks", "workers")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources without anything else."""
    for room in ROOMS:
        shutil.copytree(PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> tuple[int, str]:
    """Return the exit code and what is said."""
    program = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


def test_the_imports_as_they_are_go_one_way(copy: Path) -> None:
    code, said = lint_imports(copy)
    assert code == 0, said


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("payments/ledger/inbox.py", "import payments.streams.consumer"),
        ("payments/money.py", "import payments.ledger.database"),
        ("payments/event.py", "import psycopg"),
        ("tasks/payments.py", "import workers.app"),
        ("config/celery.py", "import payments.event"),
        ("payments/flows/process.py", "import tasks.payments"),
    ],
)
def test_an_import_that_goes_the_wrong_way_fails(copy: Path, path: str, line: str) -> None:
    source = copy / path
    source.write_text(f"{source.read_text()}\n{line}\n")
    code, said = lint_imports(copy)
    assert code != 0
    assert "BROKEN" in said
