"""`payferry bridge status` and `resume`: a person looks at a pause for poison, and says go on."""

import io
import json
import sys
from collections.abc import Callable

import pytest

from payments.ledger.bridge_pauses import PROBE, BridgePauses, Pause
from payments.ledger.database import Database
from workers.cli.main import main
from workers.cli.operator import operator

Run = Callable[..., tuple[int, str, str]]


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def pauses(database: Database, monkeypatch: pytest.MonkeyPatch, database_url: str) -> BridgePauses:
    """The pause of the group that the command is set to."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KAFKA_TOPIC", "Payments.raw")
    monkeypatch.setenv("KAFKA_GROUP_ID", "bridges")
    return BridgePauses(database, "Payments.raw", "bridges")


@pytest.fixture
def pause(pauses: BridgePauses) -> Pause:
    """A pause that is open."""
    assert pauses.pause("poison", bad=400, looked_at=500, by="bridge.1@host")
    opened = pauses.current()
    assert opened is not None
    return opened


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command, with what a person types at its questions, if one is there."""

    def command(*words: str, typed: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["payferry", "bridge", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, said.out, said.err

    return command


def test_status_says_that_nothing_is_paused(run: Run, pauses: BridgePauses) -> None:
    assert run("status") == (0, "the bridges of bridges are not paused for poison on Payments.raw\n", "")
    code, out, _ = run("status", "--json")
    assert (code, json.loads(out)) == (0, {"pause": None})
    assert pauses.latest() is None


def test_status_says_since_when_by_whom_and_how_many_were_bad(run: Run, pause: Pause) -> None:
    told = json.loads(run("status", "--json")[1])["pause"]
    assert told.pop("paused_at") == pause.paused_at.isoformat().replace("+00:00", "Z")
    assert told == {
        "topic": "Payments.raw",
        "group_id": "bridges",
        "reason": "poison",
        "bad": 400,
        "looked_at": 500,
        "share": 0.8,
        "paused_by": "bridge.1@host",
    }
    code, out, _ = run("status")
    assert code == 0
    assert "bridge.1@host" in out


def test_resume_ends_the_pause_and_signs_it(run: Run, pause: Pause, pauses: BridgePauses, database: Database) -> None:
    code, out, err = run("resume", "--yes", "--why", "the producer is mended")
    assert (code, out) == (0, "")
    assert "let the bridges of bridges take from Payments.raw again" in err
    assert not pauses.resume(pause, "another")
    assert database.row("SELECT resumed_by, resumed_why FROM bridge_pauses") == (operator(), "the producer is mended")


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_resume_asks_first_and_does_nothing_without_a_yes(
    run: Run, pause: Pause, pauses: BridgePauses, typed: str, code: int
) -> None:
    ended, _, err = run("resume", typed=typed)
    assert ended == code
    assert "Payments.raw again (400 of the last 500 records were no payment events)?" in err
    assert pauses.current() == (pause if code else None)
    assert ("nothing was changed" in err) == bool(code)


def test_where_nobody_can_be_asked_resume_wants_a_yes(run: Run, pause: Pause, pauses: BridgePauses) -> None:
    code, _, err = run("resume")
    assert code == 2
    assert "--yes" in err
    assert pauses.current() == pause


def test_a_dry_run_says_what_it_would_do_and_leaves_it_at_that(run: Run, pause: Pause, pauses: BridgePauses) -> None:
    code, _, err = run("resume", "--dry-run", "--yes")
    assert code == 0
    assert err.startswith("would let the bridges of bridges")
    assert pauses.current() == pause


def test_resume_where_nothing_is_paused_says_so(run: Run, pauses: BridgePauses) -> None:
    code, out, err = run("resume", "--yes")
    assert (code, out) == (1, "")
    assert err == (
        "payferry: the bridges of bridges are not paused for poison on Payments.raw, so there is nothing to resume\n"
    )
    assert pauses.latest() is None


def test_a_pause_that_a_probe_ends_while_the_person_thinks_is_left_to_it(
    run: Run, pause: Pause, pauses: BridgePauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", lambda *_args, **_told: pauses.resume(pause, PROBE))
    code, _, err = run("resume", typed="y\n")
    assert code == 1
    assert "payferry bridge status" in err
    latest = pauses.latest()
    assert latest is not None
    assert latest.resumed_by == PROBE


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "--because", "x"),
        ("resume", "now"),
        ("resume", "--why", " "),
        ("resume", "--why"),
        ("pause",),
        ("status", "--yes"),
        ("--json",),
    ],
)
def test_what_is_no_command_is_refused_in_one_line_and_changes_nothing(
    run: Run, pause: Pause, pauses: BridgePauses, words: tuple[str, ...]
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("payferry: ")
    assert err.count("\n") == 1
    assert pauses.current() == pause


@pytest.mark.parametrize("verb", ["status", "resume"])
def test_without_a_ledger_the_variable_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, pauses: BridgePauses, verb: str
) -> None:
    del pauses
    monkeypatch.delenv("DATABASE_URL")
    code, _, err = run(verb)
    assert code == 2
    assert err.startswith("payferry: DATABASE_URL")


@pytest.mark.parametrize("verb", ["status", "resume"])
def test_a_ledger_that_is_away_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, pauses: BridgePauses, verb: str
) -> None:
    del pauses
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("DATABASE_CONNECT_TIMEOUT_SECONDS", "1")
    code, out, err = run(verb)
    assert (code, out) == (1, "")
    assert "payferry: " in err
    assert "Traceback" not in err


def test_a_person_without_a_name_signs_with_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no name")

    monkeypatch.setattr("getpass.getuser", nobody)
    user, _, host = operator().partition("@")
    assert user.isdigit()
    assert host
