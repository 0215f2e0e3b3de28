"""Putting away dead letters that ended long ago."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from payments.failures import QueueAway
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.archives import Archive, Archives
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.sweeps import Sweeps
from payments.whole_file import FOR_US, write_whole

_BEAT = Actor("beat", "DLQ_RETENTION_DAYS")
_SLOT = "archive"
_GAP_SECONDS = 0.8 * 3600
_AT_ONCE = 1000
INDEX = "index.jsonl"
"""The file that names every archive of the folder, with its checksum."""


class ArchiveDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What putting away has at hand. `folder` None: archives are kept in the database."""

    archives: Archives
    sweeps: Sweeps
    retention_seconds: float
    folder: Path | None
    tell: Callable[..., None]
    go_on: Callable[[], None] = lambda: None
    """Queues another stretch of work, where one was not enough."""
    seconds: float = 4.0
    """How long one stretch may take: a task is told to end after some more."""
    clock: Callable[[], float] = time.monotonic


def archive_ended(desk: ArchiveDesk, *, is_tick: bool = True) -> Archive | None:
    """Put away what ended longer ago than it is to be kept; return the last archive, None where nothing was to do.

    A tick that another worker has taken does nothing. What does not fit into the time is queued. Raises DatabaseAway,
    OSError.
    """
    if is_tick and not desk.sweeps.take_slot(_SLOT, _GAP_SECONDS):
        return None
    until = desk.clock() + desk.seconds
    archive = last = None
    while (archive := put_away(desk, Choice(), desk.retention_seconds, _BEAT)) is not None:
        last = archive
        if desk.clock() >= until:
            with suppress(QueueAway):  # the next tick goes on
                desk.go_on()
            break
    return last


def put_away(desk: ArchiveDesk, choice: Choice, older_than_seconds: float, actor: Actor) -> Archive | None:
    """Put up to a thousand ended letters into one archive; return it, or None where there are none."""
    keep = None if desk.folder is None else _keeper(desk.folder)
    archive = desk.archives.put_away(choice, older_than_seconds, actor, _AT_ONCE, keep)
    if archive is not None:
        desk.tell("dead_letters_archived", archive=archive.id, letters=archive.letters, by=actor.who)
        if desk.folder is not None:
            _write_index(desk.folder, desk.archives)
    return archive


def _keeper(folder: Path) -> Callable[[str, bytes], None]:
    def keep(name: str, content: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, content, FOR_US)  # payloads are in it

    return keep


def _write_index(folder: Path, archives: Archives) -> None:
    entries = [archive for archive in reversed(archives.index()) if archive.file is not None]
    write_whole(folder / INDEX, b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
