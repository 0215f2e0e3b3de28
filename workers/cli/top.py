"""`payferry top`: the whole fleet, live."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any

import typer
from rich.live import Live

from config.settings import load_settings
from workers.cli.terminal.console import answer_console, print_json
from workers.cli.terminal.tables import wide_console
from workers.cli.top_frame import Frame, frame_of, moving
from workers.cli.top_view import view_of
from workers.cli.until import Until
from workers.logs import configure_logs
from workers.monitor.finding import Memory, Verdict
from workers.monitor.survey import Survey

Look = Callable[[], Survey]
Judge = Callable[[Survey], Verdict]


def top(
    interval: Annotated[float, typer.Option(help="Seconds between two frames.", min=0.5, max=3600.0)] = 2.0,
    *,
    once: Annotated[bool, typer.Option("--once", help="One frame, and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each frame.")] = False,
) -> None:
    """Show throughput, queues, breakers, dead letters and processes, live. Ctrl-C ends it.

    It reads the ledger, Redis and Kafka itself and needs no monitor. A part that cannot be read is shown as not known,
    with the reason. Rates need two looks, so the first frame has none.
    """
    from workers.monitor.building import surveyor_of  # noqa: PLC0415 - Kafka's client takes a while to load
    from workers.monitor.server import verdict_policy  # noqa: PLC0415 - likewise
    from workers.monitor.verdict import judge  # noqa: PLC0415 - likewise

    settings = load_settings()
    configure_logs(settings.log)
    settings.require("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "DATABASE_URL")
    policy, memory = verdict_policy(settings), Memory()
    stopping = threading.Event()
    with surveyor_of(settings, _silent) as surveyor, Until(None, stopping.set):
        told = frames(surveyor.look, lambda survey: memory.recall(judge(survey, policy)), interval, stopping)
        _show(told, once=once, json=json)


def frames(look: Look, judge: Judge, interval_seconds: float, stopping: threading.Event) -> Iterator[Frame]:
    """Yield a frame every so many seconds until `stopping` is set, the first one at once."""
    before: list[Survey] = []
    while not stopping.is_set():
        survey = look()
        before = moving(before, survey.taken_at)
        yield frame_of(survey, judge(survey), before)
        before.append(survey)
        stopping.wait(interval_seconds)


def _show(told: Iterator[Frame], *, once: bool, json: bool) -> None:
    if once:
        for frame in islice(told, 1):  # none, where somebody ended it before
            print_json(frame) if json else wide_console().print(view_of(frame))
    elif json:
        _print_lines(told)
    else:
        _live(told)


def _print_lines(told: Iterator[Frame]) -> None:
    try:
        for frame in told:
            print_json(frame)
            sys.stdout.flush()  # whoever reads a pipe wants it now
    except BrokenPipeError:  # whoever read it has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would complain at its end


def _live(told: Iterator[Frame]) -> None:
    """Draw each frame over the one before, on the whole screen where there is one."""
    console = answer_console()
    with Live(console=console, screen=console.is_terminal, auto_refresh=False, vertical_overflow="crop") as live:
        for frame in told:
            live.update(view_of(frame), refresh=True)


def _silent(*_told: Any, **_fields: Any) -> None:  # noqa: ANN401 - a log event, which would be drawn into the screen
    """Say nothing: what is wrong is shown."""
