"""`payferry bridge`: runs one, and lets a person say go on where all of them are paused for poison."""

from typing import Annotated

import typer
from rich.table import Table

from config.settings import load_settings
from payments.ledger.bridge_pauses import BridgePauses, Pause
from payments.wiring import Wiring
from workers.cli import serve
from workers.cli.dlq.options import DryRun, Yes, checked_why
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, done, would
from workers.cli.terminal.console import answer_console, print_json
from workers.cli.terminal.refusal import OneLineGroup, cannot
from workers.logs import configure_logs

bridge = typer.Typer(help="Run a bridge; or look after those that are paused for poison.", cls=OneLineGroup)

Why = Annotated[str | None, typer.Option(help="Why it is right to go on; kept with the pause.", metavar="TEXT")]


@bridge.callback(invoke_without_command=True)
def run(context: typer.Context) -> None:
    """Carry records from Kafka into the inbox and wake the workers. Stops cleanly on SIGTERM."""
    if context.invoked_subcommand is None:
        serve.bridge()


@bridge.command()
def status(*, json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show whether the bridges of our group are paused for poison: since when, by whom, and how many were bad."""
    pauses = _pauses()
    pause = pauses.current()
    if json:
        print_json({"pause": pause.told() if pause is not None else None})
    elif pause is None:
        answer_console().print(_not_paused(pauses), highlight=False, soft_wrap=True, markup=False)
    else:
        answer_console().print(_table(pause))


@bridge.command()
def resume(*, why: Why = None, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Let the bridges of our group go on, after a pause for poison. Every bad record from then on is buried.

    They go on within a second, and do not pause for poison again before the records have been well once.
    """
    reason = checked_why(why)
    pauses = _pauses()
    pause = pauses.current()
    if pause is None:
        cannot(f"{_not_paused(pauses)}, so there is nothing to resume")
    meant = f"let the bridges of {pause.group_id} take from {pause.topic} again ({_seen(pause)})"
    if dry_run:
        would(meant)
        return
    ask(meant, yes=yes)
    if not pauses.resume(pause, operator(), reason):
        cannot("somebody else, or a probe, has ended this pause meanwhile; see `payferry bridge status`")
    done(meant)


def _pauses() -> BridgePauses:
    settings = load_settings()
    configure_logs(settings.log)
    settings.require("DATABASE_URL")
    return Wiring(settings).bridge_pauses()


def _not_paused(pauses: BridgePauses) -> str:
    return f"the bridges of {pauses.group_id} are not paused for poison on {pauses.topic}"


def _seen(pause: Pause) -> str:
    return f"{pause.bad} of the last {pause.looked_at} records were no payment events"


def _table(pause: Pause) -> Table:
    table = Table(show_header=False, title="The bridges are paused")
    for name, value in pause.told().items():
        table.add_row(name.replace("_", " "), str(value))
    return table
