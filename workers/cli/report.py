"""`payferry report`: what a window of time has brought, what it says, and what to do about it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from config.settings import Settings, load_settings
from payments.flows.report.making import make_report
from payments.flows.report.report import Report
from payments.ledger.reports.reader import ReportReader, WrongWindow
from payments.whole_file import write_whole
from payments.wiring import Wiring
from workers.cli.report_text import show
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import cannot, remark, wrong
from workers.cli.terminal.tables import wide_console
from workers.cli.terminal.times import moment_or_ago
from workers.logs import configure_logs


def report(
    since: Annotated[
        str | None, typer.Option(help="From then on: 2026-01-05, 2026-01-05T12:30Z, or 2h ago. Default: a day.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before then, written likewise. Default: now.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write it as a page with charts to this file instead.", metavar="FILE")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Report on a window of time: totals, errors, their trend, recovery, impact, breakers, and what to do.

    All of it is counted in the ledger, at one moment. While Redis is away the history of breakers is missing, and the
    report says so.
    """
    if json and html is not None:
        wrong("--json and --html are two forms of one answer; choose one")
    begin, end = _moment("--since", since), _moment("--until", until)
    settings = load_settings()
    configure_logs(settings.log)
    settings.require("DATABASE_URL")
    made = _made(settings, begin, end)
    if html is not None:
        _write(html, made)
    elif json:
        print_json(made)
    else:
        show(made, wide_console())


def _moment(option: str, told: str | None) -> datetime | None:
    try:
        return moment_or_ago(told, datetime.now(UTC)) if told is not None else None
    except ValueError as error:
        wrong(f"{option} {told!r} {error}")


def _made(settings: Settings, since: datetime | None, until: datetime | None) -> Report:
    wiring = Wiring(settings)
    try:
        counted = ReportReader(wiring.database_for("report")).read(since, until)
    except WrongWindow as error:
        wrong(f"--since {error}")
    return make_report(counted, wiring.switchboard.transitions)


def _write(file: Path, made: Report) -> None:
    from workers.cli.report_page.page import as_html  # noqa: PLC0415 - only this form needs the library

    try:
        write_whole(file, as_html(made).encode())
    except OSError as error:
        cannot(f"{file} cannot be written: {error.strerror}")
    remark(f"done: write the report to {file}")
