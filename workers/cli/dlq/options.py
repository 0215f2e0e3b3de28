"""The options and arguments that several verbs share."""

from typing import Annotated

import typer

from workers.cli.terminal.refusal import wrong

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and leave it at that.")]
Why = Annotated[str | None, typer.Option(help="Why; it stays in the audit.", metavar="TEXT")]
All = Annotated[bool, typer.Option("--all", help="Really all of them: no filter.")]
LetterId = Annotated[
    int, typer.Argument(help="Its number, as `payferry dlq list` shows it.", metavar="ID", min=1, max=2**63 - 1)
]
JobId = Annotated[
    int, typer.Argument(help="Its number, as `payferry dlq jobs` shows it.", metavar="JOB", min=1, max=2**63 - 1)
]


def checked_why(told: str | None) -> str | None:
    """Return the reason that was given. An empty one is refused."""
    return None if told is None else checked_text("--why", told)


def checked_text(option: str, told: str) -> str:
    """Return what was told; text that is empty, or that no database could hold, is refused."""
    if not told.strip():
        wrong(f"{option} is empty; leave it out, or say something")
    try:
        told.encode()
    except UnicodeEncodeError:
        wrong(f"{option} is no UTF-8 text")
    return told
