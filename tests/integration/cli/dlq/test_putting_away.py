"""`payferry dlq purge` and `archives`: what has ended goes into an archive, and out of the tables."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from payments.ledger.dead_letters.search import Search
from tests.integration.cli.dlq.conftest import Graveyard, Run
from workers.cli.operator import operator


@pytest.fixture
def ended(graveyard: Graveyard) -> list[int]:
    """A resolved and a discarded letter that ended forty days ago; beside them one that is parked."""
    letters = [graveyard.undecodable(b"%d" % number) for number in range(3)]
    for letter_id, state in zip(letters, ("resolved", "discarded"), strict=False):
        graveyard.set_aside(letter_id, state)
    return letters[:2]


def test_what_ended_long_ago_is_archived_and_gone(run: Run, graveyard: Graveyard, ended: list[int]) -> None:
    told = json.loads(run("purge", "--all", "--yes", "--json", "--why", "told to").out)
    assert (told["purged"], [archive["letters"] for archive in told["archives"]]) == (2, [2])
    assert len(graveyard.dump()["dead_letters"]) == 1
    for letter_id in ended:
        [line] = Search(graveyard.database).audit(letter_id)
        assert (line.who, line.what, line.why) == (operator(), "purge", "told to")
        said = run("show", str(letter_id))
        assert (said.code, said.err) == (
            *(1, f"payferry: dead letter {letter_id} was purged; it is in one of `payferry dlq archives`\n"),
        )


def test_what_has_ended_lately_stays_unless_a_span_is_told(run: Run, graveyard: Graveyard, ended: list[int]) -> None:
    graveyard.database.run("UPDATE dead_letters SET ended_at = now() WHERE id = %(id)s", {"id": ended[0]})
    assert json.loads(run("purge", "--all", "--yes", "--json").out)["purged"] == 1
    said = run("purge", "--all", "--yes", "--json")
    assert (said.code, json.loads(said.out)["purged"]) == (0, 0)
    assert "nothing to purge: no resolved or discarded dead letter that is meant ended more than 30 d ago" in said.err
    assert json.loads(run("purge", "--older-than", "0s", "--yes", "--json").out)["purged"] == 1


def test_a_dry_run_and_a_no_purge_nothing(run: Run, graveyard: Graveyard, ended: list[int]) -> None:
    before = graveyard.dump()
    dry = run("purge", "--state", "resolved", "--dry-run", "--json")
    assert json.loads(dry.out) == {"purged": 0, "meant": 1, "archives": [], "dry_run": True}
    assert dry.err == "would archive and purge 1 dead letter that ended more than 30 d ago\n"
    said = run("purge", "--id", str(ended[0]), typed="n\n")
    assert said.code == 1
    assert "Archive and purge 1 dead letter that ended more than 30 d ago? [y/N]" in said.err
    assert graveyard.dump() == before


def test_an_archive_that_the_database_keeps_can_be_saved(
    run: Run, graveyard: Graveyard, ended: list[int], tmp_path: Path
) -> None:
    assert run("archives").out == "no archives\n"
    assert run("purge", "--all", "--yes").code == 0
    [entry] = json.loads(run("archives", "--json").out)["archives"]
    assert (entry["letters"], entry["first_id"], entry["last_id"]) == (2, ended[0], ended[1])
    assert "the database" in run("archives").out
    file = tmp_path / "archive.jsonl.gz"
    assert run("archives", "--save", str(entry["id"]), str(file)).code == 0
    assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"]
    letters = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [letter["id"] for letter in letters] == ended
    said = run("import", str(file), "--yes", "--json")
    assert json.loads(said.out)["left_out"] == 2
    assert "nothing to import: every dead letter in" in said.err
    assert graveyard.dump()["dead_letter_archives"]


def test_an_archive_in_a_folder_is_named(
    run: Run, ended: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended
    monkeypatch.setenv("DLQ_ARCHIVE_DIR", str(tmp_path))
    [archive] = json.loads(run("purge", "--all", "--yes", "--json").out)["archives"]
    assert (tmp_path / archive["file"]).exists()
    said = run("archives", "--save", "1", str(tmp_path / "copy"))
    assert said.code == 1
    assert archive["file"] in said.err


def test_a_folder_that_cannot_be_written_purges_nothing(
    run: Run, graveyard: Graveyard, ended: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("DLQ_ARCHIVE_DIR", str(blocked))
    before = graveyard.dump()
    said = run("purge", "--all", "--yes")
    assert said.code == 1
    assert said.err.startswith("payferry: cannot write into DLQ_ARCHIVE_DIR: ")
    assert graveyard.dump() == before
