"""`payferry dlq` as a person at a terminal, or a script, has it."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from payments.failures import Undecodable
from payments.ledger.database import Database
from payments.ledger.dead_letters.burial import Burial, Corpse, DeadLetters
from tests.acceptance.commands import PROGRAM, Done, environment, payferry
from tests.acceptance.ledger import Ledger
from tests.acceptance.running import Running
from tests.builders import a_message, a_record

pytestmark = pytest.mark.timeout(120)
WORKER = [str(Path(PROGRAM).with_name("celery")), "-A", "workers.app", "worker", "-P", "solo", "-Q", "dead-letters"]


class Yard:
    """A ledger with three dead letters, and what commands are told to use. The last one is an event by now."""

    def __init__(self, database: Database, env: dict[str, str], folder: Path) -> None:
        burial = Burial(reason="undecodable", failure=Undecodable("$", "not JSON"))
        records = [a_record(payload, offset) for offset, payload in enumerate([b"one", b"two", a_message("p1")])]
        DeadLetters(database).bury([Corpse(record=record, burial=burial) for record in records])
        self.env = env
        self.folder = folder
        self.ledger = Ledger(env["DATABASE_URL"])

    def dlq(self, *words: str) -> Done:
        """Run a verb to its end."""
        return payferry("dlq", *words, env=self.env, folder=self.folder)

    def states(self) -> list[str]:
        """Return the state of each letter."""
        return [row[0] for row in self.ledger.rows("SELECT state::TEXT FROM dead_letters ORDER BY id")]


@pytest.fixture
def yard(database: Database, database_url: str, redis_url: str, tmp_path: Path) -> Yard:
    return Yard(database, {"DATABASE_URL": database_url, "CELERY_BROKER_URL": redis_url}, tmp_path)


def test_an_answer_is_alone_on_stdout(yard: Yard) -> None:
    done = yard.dlq("list", "--json", "--limit", "2")
    assert (done.code, done.err) == (0, "")
    assert ([letter["id"] for letter in done.json["dead_letters"]], done.json["after"]) == ([3, 2], 2)
    done = yard.dlq("discard", "--id", "1", "--why", "not ours", "--yes", "--json")
    assert done.json == {"discarded": 1, "meant": 1, "dry_run": False}
    assert done.err.splitlines()[-1] == "done: discard 1 dead letter"


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ("discard --all --why x", 2, "say --yes; nothing was changed"),
        ("replay --id 9", 1, "there is no dead letter 9"),
    ],
)
def test_a_wrong_use_is_one_line_on_stderr(yard: Yard, words: str, code: int, line: str) -> None:
    done = yard.dlq(*words.split())
    assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1)
    assert line in done.err
    assert yard.states() == ["parked"] * 3


def test_whoever_sits_at_a_terminal_is_asked(yard: Yard) -> None:
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"y\n")
        done = subprocess.run(
            [PROGRAM, "dlq", "discard", "--all", "--why", "not ours"],
            env=environment(yard.env),
            cwd=yard.folder,
            stdin=terminal,
            capture_output=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert b"Discard 3 dead letters? [y/N]" in done.stderr
    assert yard.states() == ["discarded"] * 3


def test_a_worker_sends_back_what_a_person_watches(yard: Yard) -> None:
    with Running(WORKER, yard.env, yard.folder, "worker"):
        done = yard.dlq("replay", "--all", "--why", "the decoder is mended", "--json")
    assert done.code == 0, done.err
    job = done.json["job"]
    assert (job["state"], job["sent"], job["refused"], job["held"]) == ("done", 1, 2, 0)
    assert yard.states() == ["parked", "parked", "replaying"]
