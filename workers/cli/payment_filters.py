"""The filters of payments: which ones are meant."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from payments.event import Provider
from payments.payment import Status
from workers.cli.terminal.refusal import wrong
from workers.cli.terminal.times import moment_of

if TYPE_CHECKING:  # grpcio takes a while to load, and other verbs do without
    from payments.client import Filter

_PANEL = "Filters; each that is told must hold"

Providers = Annotated[
    list[Provider] | None,
    typer.Option("--provider", help="At this provider; may be told again.", rich_help_panel=_PANEL),
]
Statuses = Annotated[
    list[Status] | None, typer.Option("--status", help="With this status; may be told again.", rich_help_panel=_PANEL)
]
Currencies = Annotated[
    list[str] | None,
    typer.Option("--currency", help="In it, such as EUR; may be told again.", metavar="CODE", rich_help_panel=_PANEL),
]
Customer = Annotated[
    str | None,
    typer.Option(help="Of this customer, by the reference.", metavar="REFERENCE", rich_help_panel=_PANEL),
]
Since = Annotated[
    str | None,
    typer.Option(
        help="First booked then or later: 2026-01-05, 2026-01-05T12:30Z.", metavar="TIME", rich_help_panel=_PANEL
    ),
]
Until = Annotated[str | None, typer.Option(help="First booked before then.", metavar="TIME", rich_help_panel=_PANEL)]


def filter_of(
    providers: list[Provider] | None,
    statuses: list[Status] | None,
    currencies: list[str] | None,
    customer: str | None,
    since: str | None,
    until: str | None,
) -> "Filter":
    """Return what the options come to; a wrong one ends the command with a line."""
    from payments.client import Filter  # noqa: PLC0415 - see above

    not_empty("--customer", customer)
    return Filter(
        providers=tuple(map(str, providers or ())),
        statuses=tuple(map(str, statuses or ())),
        currencies=tuple(currencies or ()),
        customer_reference=customer,
        created_from=_moment("--since", since),
        created_until=_moment("--until", until),
    )


def not_empty(option: str, told: str | None) -> None:
    """End the command where an option has no value, as with a variable that nobody has set: all would be meant."""
    if told is not None and not told.strip():
        wrong(f"{option} is empty: write its value, or leave it out")


def _moment(option: str, told: str | None) -> datetime | None:
    try:
        return moment_of(told) if told is not None else None
    except ValueError as error:
        wrong(f"{option} {told!r} {error}")
