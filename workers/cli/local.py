"""`payferry up` and `payferry demo`: everything on one machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.settings import load_settings
from workers.cli.terminal.console import answer_console, error_console
from workers.logs import configure_logs

if TYPE_CHECKING:
    from workers.stack import Stack

_DECLINES = 0.05  # of the demonstration's payments, as cards are


def up(
    workers: Annotated[int, typer.Option(help="Celery workers to start.", min=0)] = 1,
    bridges: Annotated[int, typer.Option(help="Bridges to start; more than partitions idle.", min=0)] = 1,
    data: Annotated[
        Path | None, typer.Option(help="Folder in which the embedded servers keep their data. Default: a new one.")
    ] = None,
    latency_ms: Annotated[int, typer.Option(help="How long the sandbox takes for an answer.", min=0)] = 0,
    *,
    flower: Annotated[bool, typer.Option(help="Start Flower.")] = True,
) -> None:
    """Start every process of the Procfile, with embedded servers for those that the environment does not name.

    Stops cleanly on Ctrl-C and SIGTERM, and leaves no process behind; a second signal hurries.
    """
    from workers.stack import Stack  # noqa: PLC0415 - only these two verbs start servers
    from workers.supervisor.output import ConsoleOutput  # noqa: PLC0415 - likewise
    from workers.supervisor.stop_signals import StopSignals  # noqa: PLC0415 - likewise

    configure_logs(load_settings().log)
    instances = {"worker": workers, "bridge": bridges, "flower": int(flower)}
    output = ConsoleOutput(answer_console())
    folder = data.resolve() if data else None
    with Stack(output, instances=instances, data=folder, latency_ms=latency_ms) as stack, StopSignals(stack.supervisor):
        if stack.wait_ready():
            _print_places(stack)
            answer_console().print(f"In another terminal: {stack.exports()}", highlight=False, soft_wrap=True)
            stack.supervisor.wait()


def demo(
    payments: Annotated[int, typer.Option(help="How many events to send through.", min=1)] = 500,
    workers: Annotated[int, typer.Option(help="Celery workers to start.", min=1)] = 1,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same events.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Folder for the processes' output.")] = None,
    *,
    faults: Annotated[bool, typer.Option("--faults", help="Kill a worker and wipe Redis on the way.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> None:
    """Start everything, send made-up events through, and prove that nothing is missing. Exits 0 only then."""
    from workers.demo import Demo  # noqa: PLC0415 - only these two verbs start servers
    from workers.stack import Stack  # noqa: PLC0415 - likewise
    from workers.supervisor.output import FolderOutput  # noqa: PLC0415 - likewise
    from workers.supervisor.stop_signals import StopSignals  # noqa: PLC0415 - likewise

    configure_logs(load_settings().log)
    folder = logs or Path(".payferry-demo")
    with (
        Stack(
            FolderOutput(folder),
            instances={"worker": workers, "api": 0, "flower": 0, "monitor": 0},
            decline_rate=_DECLINES,
            own_servers=True,  # it makes payments up, and wipes Redis
        ) as stack,
        StopSignals(stack.supervisor),
    ):
        if not stack.wait_ready():
            raise typer.Exit(1)
        if not json:
            _print_places(stack)
        passed = Demo(stack, error_console(), payments=payments, seed=seed, faults=faults).run(json=json)
    raise typer.Exit(0 if passed else 1)


def _print_places(stack: "Stack") -> None:
    console = answer_console()
    console.print("[bold green]Payferry is up.[/]")
    for name, place in stack.places.items():
        console.print(f"  {name:<11}{place}", highlight=False, soft_wrap=True)
