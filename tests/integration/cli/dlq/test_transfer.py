"""`payferry dlq export` and `import`: dead letters as lines of a file, from one ledger into another."""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from payments.ledger.dead_letters.search import Search
from tests.builders import a_message
from tests.integration.cli.dlq.conftest import TABLES, Graveyard, Run
from workers.cli.operator import operator


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "letters.jsonl"


@pytest.fixture
def elsewhere(graveyard: Graveyard, database_url: str) -> Callable[[], None]:
    """Return what empties the ledger, so that it is another one."""
    del graveyard

    def empty() -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")

    return empty


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def numbers(said: str) -> tuple[int, int, int]:
    told = json.loads(said)
    return told["new"], told["known"], told["left_out"]


def test_an_export_holds_every_letter_with_its_whole_payload(run: Run, graveyard: Graveyard, file: Path) -> None:
    large = graveyard.undecodable(b"x" * 100_000)
    pending = graveyard.pending("p1")
    said = run("export", str(file), "--json")
    assert json.loads(said.out) == {"exported": 2, "file": str(file)}
    first, second = lines_of(file)
    assert base64.b64decode(first["payload"]) == b"x" * 100_000
    assert (first["id"], second) == (large, Search(graveyard.database).record(pending))
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_export_goes_to_stdout_or_is_compressed(run: Run, graveyard: Graveyard, tmp_path: Path) -> None:
    letter_id = graveyard.undecodable()
    out = run("export", "-").out
    assert json.loads(out)["id"] == letter_id
    packed = tmp_path / "letters.jsonl.gz"
    assert run("export", str(packed), "--state", "parked").code == 0
    assert gzip.decompress(packed.read_bytes()).decode() == out


def test_an_export_is_written_whole_or_not_at_all(
    run: Run, graveyard: Graveyard, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graveyard.undecodable()

    def broken(*_told: object) -> Any:  # noqa: ANN401 - never returns
        yield "{}"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Search, "whole", broken)
    said = run("export", str(file))
    assert (said.code, said.err) == (1, f"payferry: cannot write {file}: No space left on device\n")
    assert list(file.parent.iterdir()) == []


def test_what_was_exported_is_taken_in_elsewhere_and_is_known_the_second_time(
    run: Run, graveyard: Graveyard, file: Path, elsewhere: Callable[[], None]
) -> None:
    graveyard.pending("p1")
    graveyard.parked("p2")
    graveyard.undecodable(headers=[("h", b"\x00")])
    graveyard.set_aside(graveyard.undecodable(b"ended"), "discarded")
    assert run("export", str(file)).code == 0
    assert numbers(run("import", str(file), "--yes", "--json").out) == (0, 3, 1)
    elsewhere()
    assert numbers(run("import", str(file), "--yes", "--json", "--why", "moved").out) == (3, 0, 1)
    assert numbers(run("import", str(file), "--yes", "--json").out) == (0, 3, 1)
    was, now = ({line["reason"]: line for line in lines} for lines in (lines_of(file), exported(run, file)))
    kept = was["http_503"].keys() - {"id", "origin", "inbox_id", "next_replay_at"}
    for reason in ("http_503", "http_400"):
        assert {name: now[reason][name] for name in kept} == {name: was[reason][name] for name in kept}
    assert {line["origin"] for line in now.values()} == {"import"}
    audit = graveyard.database.rows("SELECT DISTINCT who, what, why FROM dead_letter_audit WHERE what = 'import'")
    assert audit == [(operator(), "import", "moved")]


def exported(run: Run, file: Path) -> list[dict[str, Any]]:
    again = file.with_name("again.jsonl")
    assert run("export", str(again)).code == 0
    return lines_of(again)


def test_what_was_on_its_way_is_parked_where_it_comes_to(
    run: Run, graveyard: Graveyard, file: Path, elsewhere: Callable[[], None]
) -> None:
    letter_id = graveyard.undecodable(a_message("m1"))
    assert run("replay", "--id", str(letter_id), "--detach").code == 0
    graveyard.work()
    assert graveyard.state(letter_id) == "replaying"
    assert run("export", str(file)).code == 0
    elsewhere()
    assert numbers(run("import", str(file), "--yes", "--json").out) == (1, 0, 0)
    assert graveyard.database.row("SELECT state::TEXT, inbox_id FROM dead_letters") == ("parked", None)


def test_what_was_taken_in_can_be_replayed(
    run: Run, graveyard: Graveyard, file: Path, elsewhere: Callable[[], None]
) -> None:
    graveyard.undecodable(a_message("m1"))
    assert run("export", str(file)).code == 0
    elsewhere()
    assert run("import", str(file), "--yes").code == 0
    assert run("replay", "--all", "--detach").code == 0
    graveyard.work()
    assert graveyard.database.row("SELECT state::TEXT, event_id FROM dead_letters") == ("replaying", "m1:paid")


def test_a_dry_run_counts_and_stores_nothing(
    run: Run, graveyard: Graveyard, file: Path, elsewhere: Callable[[], None]
) -> None:
    graveyard.undecodable()
    assert run("export", str(file)).code == 0
    elsewhere()
    before = graveyard.dump()
    said = run("import", str(file), "--dry-run", "--json")
    assert json.loads(said.out) == {"new": 1, "known": 0, "left_out": 0, "dry_run": True}
    assert said.err == f"would import 1 dead letter from {file}: 1 new, 0 known\n"
    assert graveyard.dump() == before


def test_a_person_is_asked_before_an_import(
    run: Run, graveyard: Graveyard, file: Path, elsewhere: Callable[[], None]
) -> None:
    graveyard.undecodable()
    assert run("export", str(file)).code == 0
    elsewhere()
    before = graveyard.dump()
    said = run("import", str(file), typed="n\n")
    assert said.code == 1
    assert f"Import 1 dead letter from {file}? [y/N]" in said.err
    assert graveyard.dump() == before
    assert run("import", str(file), typed="y\n").code == 0
    assert len(graveyard.dump()["dead_letters"]) == 1


def test_one_line_that_is_wrong_is_named_with_its_field_and_nothing_is_taken_in(
    run: Run, graveyard: Graveyard, file: Path, elsewhere: Callable[[], None]
) -> None:
    graveyard.undecodable(b"one")
    graveyard.undecodable(b"two")
    assert run("export", str(file)).code == 0
    elsewhere()
    before = graveyard.dump()
    first, second = lines_of(file)
    for changed, hint in (
        ({"partition": "3"}, "$.partition: Expected `int`, got `str`"),
        ({"topic": "another.topic"}, "$.topic: it is of another.topic, and KAFKA_TOPIC is payments.raw"),
    ):
        file.write_text(f"{json.dumps(first)}\n{json.dumps(second | changed)}\n")
        said = run("import", str(file), "--yes")
        assert (said.code, said.err) == (2, f"payferry: {file} line 2: {hint}; nothing was imported\n")
        assert graveyard.dump() == before


def test_a_file_that_is_none_is_refused(run: Run, graveyard: Graveyard, file: Path) -> None:
    before = graveyard.dump()
    for content, hint in (
        (b"", "holds no dead letters"),
        (b"\n\n", "holds no dead letters"),
        (b"not json\n", "line 1: $: JSON is malformed"),
        (b"\xff\xff", "line 1: $: "),
        (gzip.compress(b"{}" * 1000)[:-10], "broken after line 0"),
        (b"\x1f\x8bno gzip", "broken after line 0"),
    ):
        file.write_bytes(content)
        said = run("import", str(file), "--yes")
        assert (said.code, len(said.err.splitlines())) == (2, 1)
        assert hint in said.err
        assert graveyard.dump() == before
