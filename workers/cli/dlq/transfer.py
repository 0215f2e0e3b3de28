"""`payferry dlq export | import`: dead letters as lines of a file."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.transfer import Exported, Transfer, Unreadable, read_batches, read_line
from workers.cli.dlq.filters import Meant, filtered
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import DryRun, Json, Why, Yes, checked_why
from workers.cli.dlq.output import STDOUT, opened
from workers.cli.dlq.progress import counting
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, done, would
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import remark, wrong
from workers.cli.terminal.tables import many

_GZIP = b"\x1f\x8b"


@filtered
def export(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="Where to, packed where it ends with .gz; - for stdout.", metavar="FILE")
    ],
    meant: Meant,
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="In place of a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Write dead letters to a file, one JSON object a line, each with its whole payload; whole or not at all."""
    if file == STDOUT and json:
        wrong("the lines go to stdout, so --json has no place there; name a file, or leave it out")
    if file != STDOUT and file.exists() and not overwrite:
        wrong(f"{file} is there already; name another file, or say --overwrite")
    office: Office = context.obj
    total = office.search.count(meant.choice)
    number = _write(office, meant, file, total) if total else 0
    if json:
        print_json({"exported": number, "file": str(file) if number else None})
    if number:
        done(f"write {many(number)} to {file}")
    else:
        remark("no dead letter is meant, so nothing was written")


def _write(office: Office, meant: Meant, file: Path, total: int) -> int:
    number = 0
    with counting("exporting", total) as advance, opened(file, compress=file.suffix == ".gz") as write:
        for line in office.search.whole(meant.choice):
            write(f"{line}\n".encode())
            number += 1
            advance(1)
    return number


class Contents(msgspec.Struct):
    """What a file holds."""

    open: int = 0
    ended: int = 0


def take_in(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `export` or an archive wrote, packed or not.", metavar="FILE")],
    *,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take dead letters of another ledger in, all of a file or none; replay reads their records again.

    Those that are here already are known, and those that have ended are left out. Pending ones are replayed by beat
    when they are due; what was on its way is parked.
    """
    office: Office = context.obj
    actor = Actor(operator(), checked_why(why))
    topic = office.settings.kafka.topic
    found = _read(file, topic)
    left_out = f" ({found.ended:,} that have ended are left out)" if found.ended else ""
    told = f"import {many(found.open)} from {file}{left_out}"
    if found.open and not dry_run:
        ask(told, yes=yes)
    with counting("importing", found.open) as advance:
        batches = _counted(read_batches(each for each in _letters(file, topic) if each.is_open), advance)
        imported = Transfer(office.wiring.database).take_in(batches, actor, dry_run=dry_run)
    if json:
        print_json(msgspec.structs.asdict(imported) | {"left_out": found.ended, "dry_run": dry_run})
    if not found.open:
        remark(f"nothing to import: every dead letter in {file} has ended")
        return
    say = would if dry_run else done
    say(f"{told}: {imported.new:,} new, {imported.known:,} known")


def _read(file: Path, topic: str) -> Contents:
    """Return what the file holds, once every line was found to be right."""
    found = Contents()
    with counting("reading") as advance:
        for letter in _letters(file, topic):
            if letter.is_open:
                found.open += 1
            else:
                found.ended += 1
            advance(1)
    if not found.open + found.ended:
        wrong(f"{file} holds no dead letters; name a file that `payferry dlq export` or the archive wrote")
    return found


def _counted(batches: Iterable[list[Exported]], advance: Callable[[int], None]) -> Iterator[list[Exported]]:
    for batch in batches:
        yield batch
        advance(len(batch))


def _letters(file: Path, topic: str) -> Iterator[Exported]:
    """Yield each letter of the file; a line that is none ends the command and is named."""
    number = 0
    try:
        with _unpacked(file) as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007 - named in a complaint
                if line.strip():
                    yield read_line(line, topic)
    except Unreadable as error:
        wrong(f"{file} line {number}: {error.message}; nothing was imported")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        wrong(f"{file} is compressed, and broken after line {number}; fetch it again; nothing was imported")
    except OSError as error:
        wrong(f"cannot read {file}: {error.strerror or error}")


@contextmanager
def _unpacked(file: Path) -> Iterator[Iterable[bytes]]:
    """Lend the lines, decompressed where they are compressed, whatever the file is called."""
    with file.open("rb") as stored:
        is_packed = stored.read(len(_GZIP)) == _GZIP
        stored.seek(0)
        if not is_packed:
            yield stored
            return
        with gzip.GzipFile(fileobj=stored) as unpacked:
            yield unpacked
