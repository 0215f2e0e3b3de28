"""`payferry parse`: what a provider's message means."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from config.settings import load_settings
from payments.event import Event, Provider, encode
from payments.failures import Undecodable
from payments.providers.decoding import decode_event
from payments.redaction import masked_email
from workers.cli.terminal.refusal import WRONG, wrong


def parse(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE…|-]", help="Files of one message, or of one a line. -: stdin.")
    ] = None,
    provider: Annotated[
        Provider | None, typer.Option(help="Whose message it is. Default: seen from its shape.")
    ] = None,
) -> None:
    """Print the normalised event of each message as one JSON object a line, the customer's e-mail masked.

    Bad input gives exit 2 and, for each bad message, one line on stderr that names the JSON path and the reason.
    """
    undecodable, max_bytes = 0, load_settings().bridge.max_event_bytes
    for name in files or ["-"]:
        for place, message in _messages(name):
            try:
                print(_line(decode_event(message, provider=provider, max_bytes=max_bytes)))  # noqa: T201 - the answer
            except Undecodable as failure:
                print(f"{place}: {failure.path}: {failure.reason}", file=sys.stderr)  # noqa: T201 - the answer
                undecodable += 1
    if undecodable:
        raise typer.Exit(WRONG)


def _line(event: Event) -> str:
    if event.customer_email is not None:
        event = msgspec.structs.replace(event, customer_email=masked_email(event.customer_email))
    return encode(event).decode()


def _messages(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield each message of a file with its place: the whole file, or its lines where each is a message."""
    place = "stdin" if name == "-" else name
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        wrong(f"{place}: {error.strerror}")
    lines = [(number, line) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
    if len(lines) > 1 and _is_whole(lines[0][1]):
        yield from ((f"{place}:{number}", line) for number, line in lines)
    else:
        yield place, data


def _is_whole(line: bytes) -> bool:
    """Return whether the line alone is JSON, so that the file holds one message a line."""
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
