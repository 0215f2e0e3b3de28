"""`payferry dlq purge | archives`: what has ended goes into an archive, and out of the tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from payments.flows.dead_letters.archiving import ArchiveDesk, put_away
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.archives import Archive
from payments.ledger.dead_letters.choice import Choice
from workers.cli.dlq.filters import Meant, filtered
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import All, DryRun, Json, Why, Yes, checked_why
from workers.cli.dlq.output import write_out
from workers.cli.dlq.progress import counting
from workers.cli.dlq.reach import PURGE
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, done, would
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import cannot, remark, wrong
from workers.cli.terminal.tables import many, table, wide_console
from workers.cli.terminal.times import moment, seconds_in, span


@filtered
def purge(  # noqa: PLR0913 - each argument is an option of the command line
    context: typer.Context,
    meant: Meant,
    *,
    older_than_seconds: Annotated[
        str | None,
        typer.Option(
            "--older-than", help="Ended longer ago: 30s, 15m, 2h, 3d; 0s: all. Default: the retention.", metavar="SPAN"
        ),
    ] = None,
    everything: All = False,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Archive resolved and discarded dead letters now, and take them out of the tables. Open ones never are."""
    office: Office = context.obj
    actor = Actor(operator(), checked_why(why))
    _need_filter(meant, older_than_seconds, everything=everything)
    seconds = _seconds(older_than_seconds, office)
    choice = PURGE.within(meant, office.search)
    number = office.archives.count(choice, seconds)
    told = f"archive and purge {many(number)} that ended {_ago(seconds)}"
    if not number:
        remark(f"nothing to purge: no resolved or discarded dead letter that is meant ended {_ago(seconds)}")
    elif dry_run:
        would(told)
    else:
        ask(told, yes=yes)
    archives = [] if dry_run else list(_put_away(office.wiring.archive_desk(), choice, seconds, actor, number))
    purged = sum(archive.letters for archive in archives)
    if json:
        print_json({"purged": purged, "meant": number, "archives": archives, "dry_run": dry_run})
    if archives:
        done(f"archive and purge {many(purged)}, in {many(len(archives), 'archive')}: {_places(archives)}")


def _need_filter(meant: Meant, older_than: str | None, *, everything: bool) -> None:
    if meant.choice.is_all and older_than is None and not everything:
        wrong("this would purge every dead letter that has ended long ago: name at least one filter, or --all")
    if everything and not meant.choice.is_all:
        wrong("--all goes with no filter: leave out one or the other")


def _seconds(told: str | None, office: Office) -> float:
    if told is None:
        return office.settings.dead_letters.retention_days * 86_400
    try:
        return seconds_in(told)
    except ValueError as error:
        wrong(f"--older-than {told!r} {error}")


def _ago(seconds: float) -> str:
    return f"more than {span(seconds)} ago" if seconds else "before now"


def _put_away(desk: ArchiveDesk, choice: Choice, seconds: float, actor: Actor, total: int) -> Iterator[Archive]:
    """Yield each archive that was made. A folder that cannot be written ends the command; what was made stays."""
    with counting("purging", total) as advance:
        try:
            while (archive := put_away(desk, choice, seconds, actor)) is not None:
                advance(archive.letters)
                yield archive
        except OSError as error:
            cannot(f"cannot write into DLQ_ARCHIVE_DIR: {error.strerror or error}; nothing more was purged")


def _places(archives: list[Archive]) -> str:
    return ", ".join(archive.file or f"number {archive.id} in the database" for archive in archives[:5]) + (
        ", …" if len(archives) > 5 else ""  # noqa: PLR2004 - a line holds no more
    )


def archives(
    context: typer.Context,
    *,
    save: Annotated[
        tuple[int, Path] | None,
        typer.Option(help="Write the archive of this number to this file, - for stdout.", metavar="ID FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """List what was archived and purged, the latest first; or save one archive that is kept in the database."""
    office: Office = context.obj
    index = office.archives.index()
    if save is not None:
        _save(office, index, *save, json=json)
    elif json:
        print_json({"archives": index})
    elif index:
        heads = ("id", "made", "dead letters", "numbers", "ended", "bytes", "kept in", "sha256")
        wide_console().print(table("", heads, map(_line, index)))
    else:
        wide_console().print("no archives")


def _save(office: Office, index: list[Archive], archive_id: int, path: Path, *, json: bool) -> None:
    if json:
        wrong("--save writes the archive and nothing else; leave out --json")
    entry = next((archive for archive in index if archive.id == archive_id), None)
    if entry is None:
        cannot(f"there is no archive {archive_id}; see `payferry dlq archives`")
    if entry.file is not None:
        cannot(f"archive {archive_id} is the file {entry.file} in the folder of DLQ_ARCHIVE_DIR; take it from there")
    write_out(path, office.archives.content(archive_id) or b"")


def _line(archive: Archive) -> tuple[object, ...]:
    kept = archive.file or "the database"
    told = msgspec.structs.asdict(archive)
    return (
        *(archive.id, moment(archive.created_at), f"{archive.letters:,}", f"{told['first_id']} to {told['last_id']}"),
        *(f"{moment(archive.oldest)} to {moment(archive.newest)}", f"{archive.bytes:,}", kept, archive.sha256[:16]),
    )
