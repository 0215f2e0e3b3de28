"""`payferry breakers`: the breakers of the fleet, to look at and to work by hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from config.settings import load_settings
from payments.resilience.breaker_state import BreakerEvent, BreakerView
from payments.resilience.switchboard import Switchboard
from payments.wiring import Wiring
from workers.cli.terminal.console import answer_console, error_console, print_json
from workers.logs import configure_logs

_CHANGES = 10
_LEAST_COLUMNS = 110

breakers = typer.Typer(help="Show the fleet's breakers, and open or close them by hand.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Which breaker, as `payferry breakers list` shows it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and leave it at that.")]


@breakers.callback()
def choose(context: typer.Context) -> None:
    """Show the fleet's breakers, and open or close them by hand."""
    if context.obj is None:
        settings = load_settings()
        configure_logs(settings.log)
        settings.require("REDIS_URL")
        context.obj = Wiring(settings).switchboard


@breakers.command("list")
def show(
    context: typer.Context, *, json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Show the state of every breaker, what it has counted, and the latest changes. Exits 1 without Redis."""
    board: Switchboard = context.obj
    views, events = board.shown(), board.transitions(_CHANGES)
    if json:
        print_json({"breakers": views, "changes": events})
        return
    console = answer_console()
    console.width = max(console.width, _LEAST_COLUMNS)  # a pipe counts as 80, and would tear words
    console.print(_states(views))
    console.print(_changes(events))


@breakers.command()
def trip(context: typer.Context, name: Name, *, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Open a breaker for its open time, as if its calls had failed. One that is isolated stays so."""
    _order(context.obj, name, Switchboard.trip, "open {name} in every process, for its open time", yes, dry_run)


@breakers.command()
def isolate(context: typer.Context, name: Name, *, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Open a breaker, and hold it open until it is reset."""
    _order(context.obj, name, Switchboard.isolate, "open {name} in every process, until it is reset", yes, dry_run)


@breakers.command()
def reset(context: typer.Context, name: Name, *, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Close a breaker, and forget what was counted against it."""
    _order(context.obj, name, Switchboard.reset, "close {name} in every process", yes, dry_run)


def _order(
    board: Switchboard,
    name: str,
    give: Callable[[Switchboard, str], None],
    meaning: str,
    yes: bool,  # noqa: FBT001 - passed on as it came
    dry_run: bool,  # noqa: FBT001
) -> None:
    known = board.names()
    if name not in known:
        raise typer.BadParameter(f"no breaker is called {name}; there are {', '.join(known)}", param_hint="NAME")
    told = meaning.format(name=name)
    if dry_run:
        error_console().print(f"would {told}", highlight=False)
        return
    if not yes:
        typer.confirm(f"{told.capitalize()}?", abort=True, err=True)
    give(board, name)
    error_console().print(f"done: {told}", highlight=False)


def _states(views: list[BreakerView]) -> Table:
    heads = ("breaker", "state", "for", "calls", "failures", "slow", "in a row", "opened", "probes out")
    table = Table(*heads, title="in the fleet", title_justify="left", box=box.SIMPLE_HEAD)
    for view in views:
        counts = (view.calls, view.failures, view.slow, view.consecutive_failures, view.opened, view.active_probes)
        state = "isolated" if view.isolated else view.state
        table.add_row(view.name, state, _while(view), *map(str, counts))
    return table


def _while(view: BreakerView) -> str:
    if view.isolated:
        return "until reset"
    return f"{view.until_seconds:.0f} s" if view.until_seconds else ""


def _changes(events: list[BreakerEvent]) -> Table:
    table = Table("at", "breaker", "from", "to", "because", title="latest changes", title_justify="left")
    table.box = box.SIMPLE_HEAD
    for event in events:
        at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds")
        table.add_row(at, event.name, event.was, event.now, event.reason)
    return table
