"""`payferry dlq edit`: what a dead letter holds is mended, and goes back in its place."""

import json
import stat
from pathlib import Path

import pytest

from payments.ledger.dead_letters.search import Search
from tests.builders import a_message
from tests.integration.cli.dlq.conftest import Graveyard, Run
from workers.cli.operator import operator

MEND = ("--set", 'amount="10.00"')


@pytest.fixture
def letter_id(graveyard: Graveyard) -> int:
    """The letter of a message with an amount below zero."""
    return graveyard.undecodable(a_message("m1", amount="-10.00"))


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in place of an editor, which a test writes."""
    program = tmp_path / "editor"
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(program))
    return program


def script(program: Path, *lines: str) -> None:
    program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_a_value_is_mended_and_goes_back_as_a_child(run: Run, graveyard: Graveyard, letter_id: int) -> None:
    said = run("edit", str(letter_id), *MEND, "--why", "a sign too many", "--yes")
    assert said.code == 0
    assert said.out.splitlines()[3:].count('-  "amount": "-10.00",') == 1
    child = letter_id + 1
    assert f"dead letter {child} took the place of {letter_id}" in said.err
    assert [graveyard.state(each) for each in (letter_id, child)] == ["resolved", "replaying"]
    search = Search(graveyard.database)
    record = search.record(child)
    assert record is not None
    assert (record["parent_id"], record["event"]["amount_minor"]) == (letter_id, 1000)
    assert [(line.who, line.what, line.why) for line in search.audit(letter_id)] == [
        (operator(), "edit", "a sign too many")
    ]
    assert search.payload(letter_id) == a_message("m1", amount="-10.00")


def test_a_dry_run_shows_what_would_differ(run: Run, graveyard: Graveyard, letter_id: int) -> None:
    before = graveyard.dump()
    said = run("edit", str(letter_id), *MEND, "--dry-run", "--json")
    told = json.loads(said.out)
    assert (said.code, told["id"], told["parent_id"]) == (0, None, letter_id)
    assert '+  "amount": "10.00",' in told["diff"]
    assert graveyard.dump() == before


def test_a_person_is_asked_with_the_difference_in_sight(run: Run, graveyard: Graveyard, letter_id: int) -> None:
    before = graveyard.dump()
    said = run("edit", str(letter_id), *MEND, typed="n\n")
    assert said.code == 1
    assert '+  "amount": "10.00"' in said.out
    assert f"Replay this in place of dead letter {letter_id}? [y/N]" in said.err
    assert graveyard.dump() == before


def test_json_is_edited_on_lines_of_its_own_and_told_on_one(
    run: Run, graveyard: Graveyard, letter_id: int, editor: Path
) -> None:
    script(editor, """sed -i 's/^  "amount": "-10.00"/  "amount": "10.00"/' "$1\"""")
    said = run("edit", str(letter_id), "--json", typed="y\n")
    assert said.code == 0, said.err
    child = json.loads(said.out.strip())["id"]
    assert Search(graveyard.database).payload(child) == a_message("m1", amount="10.00")


def test_an_edit_that_is_no_event_can_be_edited_again(
    run: Run, graveyard: Graveyard, letter_id: int, editor: Path
) -> None:
    script(editor, 'if grep -q -- -10 "$1"; then sed -i s/-10.00/-1.00/ "$1"; else sed -i s/-1.00/1.00/ "$1"; fi')
    said = run("edit", str(letter_id), "--json", typed="y\ny\n")
    assert said.code == 0, said.err
    assert "the edited payload is no payment event: $.amount: negative" in said.err
    child = json.loads(said.out[said.out.index("{") :])["id"]
    assert Search(graveyard.database).payload(child) == a_message("m1", amount="1.00")
    assert graveyard.state(letter_id) == "resolved"


@pytest.mark.parametrize(
    ("lines", "typed", "hint"),
    [
        (["true"], "", "says what the old one does"),
        (['echo >> "$1"'], "", "says what the old one does"),
        (['echo > "$1"'], "", "the new payload is empty"),
        (["exit 3"], "", "ended with 3"),
        (['printf "\\377" > "$1"'], "", "no UTF-8"),
        (['echo x > "$1"'], "n\n", "nothing was changed"),
    ],
)
def test_what_is_not_edited_well_changes_nothing(
    run: Run, graveyard: Graveyard, letter_id: int, editor: Path, lines: list[str], typed: str, hint: str
) -> None:
    script(editor, *lines)
    before = graveyard.dump()
    said = run("edit", str(letter_id), typed=typed)
    assert said.code == 1
    assert hint in said.err
    assert graveyard.dump() == before


def test_the_text_in_the_editor_is_for_nobody_else_and_gone_afterwards(
    run: Run, letter_id: int, editor: Path, tmp_path: Path
) -> None:
    script(editor, f'echo "$1" > {tmp_path}/name', f'stat -c %a "$1" > {tmp_path}/mode')
    assert run("edit", str(letter_id), typed="").code == 1
    assert (tmp_path / "mode").read_text() == "600\n"
    assert not Path((tmp_path / "name").read_text().strip()).exists()


def test_an_editor_that_is_not_there_is_named(run: Run, letter_id: int, editor: Path) -> None:
    said = run("edit", str(letter_id), typed="")
    assert said.code == 1
    assert f"cannot start the editor {editor}" in said.err


def test_a_payload_that_is_no_text_is_given_as_a_file(
    run: Run, graveyard: Graveyard, tmp_path: Path, editor: Path
) -> None:
    script(editor, "true")
    letter_id = graveyard.undecodable(b"\xff\xfe")
    assert "give the new one with --file" in run("edit", str(letter_id), typed="").err
    file = tmp_path / "new.json"
    file.write_bytes(a_message("m1"))
    assert run("edit", str(letter_id), "--file", str(file), "--yes").code == 0
    assert graveyard.state(letter_id) == "resolved"
