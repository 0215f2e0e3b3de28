"""`payferry dlq edit`: mending what a dead letter holds, and sending that back in its place."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.text import Text

from payments.event import Event
from payments.flows.dead_letters.editing import edit as replace_by
from payments.flows.dead_letters.editing import edited_event, with_values
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import NotPossible, Original
from workers.cli.dlq.editor import edited
from workers.cli.dlq.listing import pretty
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import DryRun, Json, LetterId, Why, Yes, checked_why
from workers.cli.dlq.reach import EDIT, missing
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, at_terminal, done, is_sure, would
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import cannot, remark, wrong
from workers.cli.terminal.tables import plain, wide_console

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def edit(  # noqa: PLR0913 - each argument is an option of the command line
    context: typer.Context,
    letter_id: LetterId,
    *,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="A new value: data.object.amount=1200; may be told again.", metavar="PATH=VALUE"),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A file with the whole new payload.")] = None,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Mend the payload in your editor, by --set or from a file, and send it back as a child of the dead letter.

    The original is kept, and resolved as replaced. The event keeps its id. Exits 1 where nothing was changed in it.
    """
    actor = Actor(operator(), checked_why(why))
    pairs = [_pair(told) for told in values or []]
    if pairs and file is not None:
        wrong("--set and --file are two ways to edit; choose one")
    office: Office = context.obj
    original = _original(office, letter_id)
    payload, event = _mended(office, original, _way(original, pairs, file))
    meant = f"replay this in place of dead letter {letter_id}"
    if dry_run:
        _end_dry(original, payload, meant, json=json)
    ask(meant, yes=yes, show=lambda: _show_diff(original.payload, payload, answers=not json))
    child = _replace(office, original, payload, event, actor)
    if json:
        print_json({"id": child, "parent_id": letter_id, "dry_run": False})
    done(f"dead letter {child} took the place of {letter_id}, and its event is back at work")


def _pair(told: str) -> tuple[str, str]:
    path, equals, value = told.partition("=")
    if not equals or not path.strip("$. "):
        wrong(f"--set {told!r} is no path=value; write for example data.object.amount=1200")
    return path.strip(), value


def _original(office: Office, letter_id: int) -> Original:
    original = office.changes.original(letter_id)
    if original is None:
        cannot(missing(letter_id, office.search))
    if original.state not in EDIT.states:
        cannot(EDIT.unfit(letter_id, original.state, office.search))
    return original


class Way:
    """How the new payload comes about; `again` says whether another try may turn out better."""

    def __init__(self, make: Callable[[bytes], bytes], *, again: bool = False) -> None:
        self.make = make
        self.again = again


def _way(original: Original, pairs: list[tuple[str, str]], file: Path | None) -> Way:
    if pairs:
        return Way(lambda payload: with_values(payload, pairs))
    if file is not None:
        return Way(lambda _payload: _content(file))
    if not at_terminal():
        wrong("nobody is here to use an editor: say --set path=value, or --file")
    return Way(lambda payload: _typed(original, payload), again=True)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        wrong(f"cannot read {file}: {error.strerror}; nothing was changed")


def _typed(original: Original, payload: bytes) -> bytes:
    """Return what the person makes of it; JSON is shown on lines of its own, and told on one."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        wrong(f"the payload of dead letter {original.letter_id} is no UTF-8 text: give the new one with --file")
    shown = pretty(text)
    typed = edited(shown, ".json" if shown != text else ".txt")
    return payload if typed.strip() == shown.strip() else _on_one_line(typed)


def _on_one_line(typed: str) -> bytes:
    try:
        return msgspec.json.format(typed.encode(), indent=-1)
    except msgspec.DecodeError:
        return typed.encode()


def _mended(office: Office, original: Original, way: Way) -> tuple[bytes, Event]:
    """Return the new payload and its event. A person in an editor may try again."""
    payload = original.payload
    while True:
        payload = way.make(payload)
        _check_changed(original.payload, payload)
        try:
            return payload, edited_event(original, payload, office.settings.bridge.max_event_bytes)
        except NotPossible as wrong_edit:
            if not way.again:
                raise
            remark(wrong_edit.message)
        if not is_sure("Edit it again?"):
            cannot("nothing was changed")


def _check_changed(before: bytes, after: bytes) -> None:
    if not after.strip():
        cannot("the new payload is empty, so nothing was changed")
    if _meaning(before) == _meaning(after):
        cannot("the new payload says what the old one does, so nothing was changed")


def _meaning(payload: bytes) -> bytes:
    """Return JSON in one form, whatever its spaces and order; any other payload as it is."""
    try:
        return msgspec.json.encode(msgspec.json.decode(payload), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload


def diff_of(before: bytes, after: bytes) -> Iterator[str]:
    """Yield the lines of a unified diff; JSON is compared on lines of its own."""
    old, new = (pretty(payload.decode("utf-8", "backslashreplace")).splitlines() for payload in (before, after))
    return difflib.unified_diff(old, new, "buried", "edited", lineterm="")


def _show_diff(before: bytes, after: bytes, *, answers: bool) -> None:
    console = wide_console(answers=answers)
    for line in diff_of(before, after):
        console.print(Text(plain(line), style=_COLOURS.get(line[:1], "")), soft_wrap=True)


def _end_dry(original: Original, payload: bytes, meant: str, *, json: bool) -> NoReturn:
    if json:
        diff = list(diff_of(original.payload, payload))
        print_json({"id": None, "parent_id": original.letter_id, "diff": diff, "dry_run": True})
    else:
        _show_diff(original.payload, payload, answers=True)
    would(meant)
    raise typer.Exit


def _replace(office: Office, original: Original, payload: bytes, event: Event, actor: Actor) -> int:
    try:
        return replace_by(office.changes, office.desk.wakeups, original, payload, event, actor).letter_id
    except NotPossible as refused:
        cannot(f"{refused.message}; nothing was changed")
