"""`payferry payment`: one payment, its events, and what its saga has done."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from config.settings import load_settings
from payments.failures import Transient
from payments.flows.reading import Reading
from payments.ledger.books import Books
from payments.redaction import masked_email
from payments.view import PaymentView
from payments.whole_file import write_whole
from payments.wiring import Wiring
from workers.cli.api_access import PaymentName, checked_name
from workers.cli.terminal.console import answer_console, print_json
from workers.logs import configure_logs


def payment(
    name: PaymentName,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the JSON object to this file instead.")] = None,
) -> None:
    """Show one payment out of the ledger itself: how it stands, its events, every step and failure. For operators.

    It needs DATABASE_URL. Who has only a token of the API asks `payferry payments get` or `history`. Of the customer's
    e-mail only the first character and the last label are shown.

    While the ledger is away the last known value is shown, marked stale, without the events. Exits 1 for a payment that
    nobody has heard of.
    """
    checked_name(name)
    settings = load_settings()
    configure_logs(settings.log)
    settings.require("DATABASE_URL")
    wiring = Wiring(settings)
    told = _told(name, wiring.reader().read(name), Books(wiring.database))
    if output is not None:
        write_whole(output, msgspec.json.format(msgspec.json.encode(told)))
    elif json:
        print_json(told)
    else:
        _show(told)
    raise typer.Exit(0 if told["payment"] or told["events"] else 1)


def _told(name: str, reading: Reading, books: Books) -> dict[str, Any]:
    """Return all that is known; what the ledger cannot be asked for now is null."""
    return {
        "name": name,
        "payment": _masked(reading.payment),
        "stale": reading.stale,
        "age_seconds": round(reading.age_seconds, 1),
        "events": _unless_away(lambda: books.passages(name)),
        "declines": _unless_away(lambda: books.declines(name)),
    }


def _masked(payment: PaymentView | None) -> PaymentView | None:
    if payment is None or payment.customer_email is None:
        return payment
    return msgspec.structs.replace(payment, customer_email=masked_email(payment.customer_email))


def _unless_away(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is asked for
    try:
        return ask()
    except Transient:
        return None


def _show(told: dict[str, Any]) -> None:
    console = answer_console()
    if told["stale"]:
        console.print(f"The ledger does not answer. This is what was known {told['age_seconds']:g} s ago.")
    if told["payment"] is not None:
        table = Table(show_header=False, title=told["name"])
        for key, value in msgspec.structs.asdict(told["payment"]).items():
            table.add_row(key, str(value))
        console.print(table)
    for event in told["events"] or []:
        console.print(f"{event.kind} {event.event_id}: {event.state}, {event.attempts} attempts")
        trace = f", trace {event.trace_id}" if event.trace_id else ""
        console.print(f"  in logs {event.correlation_id}{trace}")
        for line in msgspec.json.decode(event.saga):
            console.print(f"  {line['at']}  {line['step']} {line['mark']}  {line.get('reference_id') or ''}".rstrip())
        for failure in msgspec.json.decode(event.failures):
            console.print(f"  {failure['at']}  {failure['code']}: {failure['message']}")
    for decline in told["declines"] or []:
        console.print(f"declined at {decline['declined_at']}: {decline['code']} ({decline['kind']})")
    if told["payment"] is None and not told["events"]:
        console.print(f"{told['name']}: nobody has heard of it")
