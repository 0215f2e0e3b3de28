import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from payments.flows.dead_letters.archiving import INDEX, ArchiveDesk, archive_ended, put_away
from payments.ledger.database import Database
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.archives import Archives
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.sweeps import Sweeps
from tests.integration.flows.conftest import MakeDesk
from tests.integration.flows.dead_letters.letters import bury_many, letters, requested

JO = Actor("jo@desk", "no use")
DAY_SECONDS = 86_400.0


def desk_of(database: Database, folder: Path | None) -> ArchiveDesk:
    return ArchiveDesk(
        archives=Archives(database),
        sweeps=Sweeps(database),
        retention_seconds=30 * DAY_SECONDS,
        folder=folder,
        tell=lambda *_, **__: None,
    )


def discarded(make_desk: MakeDesk, database: Database, count: int = 3) -> None:
    """Leave letters behind that were discarded 31 days ago, and one each that is pending, parked, discarded today."""
    bury_many(make_desk, database, *(requested(f"p{number}") for number in range(count + 3)))
    changes = Changes(database)
    changes.discard(Choice(ids=tuple(range(1, count + 1))), JO)
    database.run("UPDATE dead_letters SET ended_at = now() - '31 days'::INTERVAL WHERE state = 'discarded'")
    database.run("UPDATE dead_letters SET first_failed_at = now() - '90 days'::INTERVAL")
    changes.discard(Choice(ids=(count + 1,)), JO)
    changes.park(Choice(ids=(count + 2,)), JO)


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def test_what_ended_long_ago_is_archived_and_gone_and_what_waits_is_never_touched(
    make_desk: MakeDesk, database: Database
) -> None:
    discarded(make_desk, database)
    archive = archive_ended(desk_of(database, None))
    assert archive is not None
    assert (archive.letters, archive.first_id, archive.last_id, archive.file) == (3, 1, 3, None)
    assert letters(database, "id, state::TEXT") == [(4, "discarded"), (5, "parked"), (6, "pending")]
    content = Archives(database).content(archive.id)
    assert content is not None
    assert hashlib.sha256(content).hexdigest() == archive.sha256
    told = lines(content)
    assert [letter["id"] for letter in told] == [1, 2, 3]
    assert [entry["what"] for entry in told[0]["audit"]] == ["discard"]
    assert database.row("SELECT count(*) FROM dead_letter_texts") == (3,)


def test_a_folder_gets_a_file_with_its_checksum_in_the_index(
    make_desk: MakeDesk, database: Database, tmp_path: Path
) -> None:
    discarded(make_desk, database)
    archive = archive_ended(desk_of(database, tmp_path / "archive"))
    assert archive is not None
    assert archive.file is not None
    content = (tmp_path / "archive" / archive.file).read_bytes()
    assert (tmp_path / "archive" / archive.file).stat().st_mode & 0o777 == 0o600
    assert len(lines(content)) == 3
    [entry] = [json.loads(line) for line in (tmp_path / "archive" / INDEX).read_text().splitlines()]
    assert (entry["file"], entry["sha256"]) == (archive.file, hashlib.sha256(content).hexdigest())


def test_a_folder_that_cannot_be_written_loses_nothing(make_desk: MakeDesk, database: Database, tmp_path: Path) -> None:
    discarded(make_desk, database)
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(OSError, match="file"):
        archive_ended(desk_of(database, blocked))
    assert len(letters(database)) == 6
    assert Archives(database).index() == []


def test_a_tick_is_taken_once(make_desk: MakeDesk, database: Database) -> None:
    discarded(make_desk, database)
    assert archive_ended(desk_of(database, None)) is not None
    database.run("UPDATE dead_letters SET ended_at = now() - '31 days'::INTERVAL WHERE state = 'discarded'")
    assert archive_ended(desk_of(database, None)) is None
    assert len(letters(database)) == 3


def test_a_person_may_put_away_what_ended_today(make_desk: MakeDesk, database: Database) -> None:
    discarded(make_desk, database)
    archive = put_away(desk_of(database, None), Choice(ids=(4, 5)), 0.0, JO)
    assert archive is not None
    assert (archive.letters, [row[0] for row in letters(database, "id")]) == (1, [1, 2, 3, 5, 6])
    assert database.row("SELECT who, what, why FROM dead_letter_audit WHERE letter_id = 4") == (
        *("jo@desk", "purge", "no use"),
    )


def test_a_discard_is_taken_back_to_what_it_was(make_desk: MakeDesk, database: Database) -> None:
    bury_many(make_desk, database, requested("p1"), requested("p2"))
    changes = Changes(database)
    assert changes.park(Choice(ids=(2,)), JO) == 1
    assert changes.discard(Choice(), JO) == 2
    assert letters(database, "state::TEXT") == [("discarded",), ("discarded",)]
    assert changes.restore(Choice(), JO) == 2
    assert letters(database, "state::TEXT, next_replay_at IS NOT NULL") == [("pending", True), ("parked", False)]
