"""`payferry payments get | list | history`: payments, as other services see them through the API."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.api_access import Address, Json, PaymentName, Plaintext, checked_name, opened_api
from workers.cli.payment_filters import Currencies, Customer, Providers, Since, Statuses, Until, filter_of, not_empty
from workers.cli.payment_lines import payment_line
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import OneLineGroup, remark, wrong
from workers.cli.terminal.tables import many, pairs, table, wide_console
from workers.cli.terminal.times import moment, span

if TYPE_CHECKING:  # grpcio takes a while to load, and other verbs do without
    from payments.client import Filter, History, HistoryEvent, Page, Payment, PaymentClient

payments = typer.Typer(
    help="Read payments through the API, as other services do: no DATABASE_URL is needed.",
    cls=OneLineGroup,
    no_args_is_help=True,
)

_USUAL = 10
_MOST = 100


@payments.command()
def get(name: PaymentName, address: Address = None, *, plaintext: Plaintext = False, json: Json = False) -> None:
    """Show one payment as it stands, asked of the API. Exits 1 for one that nobody has heard of.

    `payferry payments history` shows its events as well; `payferry payment` does beside the ledger, without the API.
    """
    checked_name(name)
    with opened_api(address, plaintext=plaintext) as client:
        reading = client.get(name)
    if json:
        print_json(reading)
        return
    if reading.stale:
        remark(f"the ledger does not answer; this is what was known {span(reading.age_seconds)} ago")
    wide_console().print(pairs(reading.payment.id, _told(reading.payment)))


@payments.command("list")
def listing(  # noqa: PLR0913 - each argument is an option of the command line
    *,
    provider: Providers = None,
    status: Statuses = None,
    currency: Currencies = None,
    customer: Customer = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(help="Most of them on one page.", min=1, max=_MOST)] = _USUAL,
    page_token: Annotated[str | None, typer.Option(help="Of the next page, as the page before has told it.")] = None,
    address: Address = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages, a payment a line.")] = False,
    plaintext: Plaintext = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object; with --all, one a payment.")] = False,
) -> None:
    """List payments, the newest first, a page at a time; the end of a page says how to go on."""
    if everything and page_token is not None:
        wrong("--all begins with the first page, so --page-token goes without it")
    not_empty("--page-token", page_token)
    meant = filter_of(provider, status, currency, customer, since, until)
    with opened_api(address, plaintext=plaintext) as client:
        if everything:
            _show_all(client, meant, json=json)
            return
        page = client.list(meant, limit=limit, page_token=page_token)
    if json:
        print_json(page)
    else:
        _show_page(page)


@payments.command()
def history(name: PaymentName, address: Address = None, *, plaintext: Plaintext = False, json: Json = False) -> None:
    """Show one payment with everything that happened to it. The token needs the grant admin."""
    checked_name(name)
    with opened_api(address, plaintext=plaintext) as client:
        found = client.history(name)
    if json:
        print_json(found)
    else:
        _show_history(name, found)


def _show_all(client: "PaymentClient", meant: "Filter", *, json: bool) -> None:
    for payment in client.list_all(meant):
        print_json(payment) if json else print(payment_line(payment, payment.created_at))  # noqa: T201 - the answer


def _show_page(page: "Page") -> None:
    if page.payments:
        heads = ("id", "provider", "amount", "status", "customer", "created", "updated")
        wide_console().print(table("", heads, map(_line, page.payments)))
    shown = f"{len(page.payments):,} of {many(page.total, 'payment')} shown" if page.total else "no payments"
    remark(shown)
    if page.next_page_token is not None:
        remark(f"more follow: the same with --page-token {page.next_page_token}")


def _line(payment: "Payment") -> tuple[object, ...]:
    amount = f"{payment.amount} {payment.currency}"
    customer = payment.customer_reference or payment.customer_email or ""
    times = moment(payment.created_at), moment(payment.updated_at)
    return payment.id, payment.provider, amount, payment.status, customer, *times


def _told(payment: "Payment") -> dict[str, object]:
    """Return what fits into a line each."""
    return {
        "provider": payment.provider,
        "status": payment.status,
        "amount": f"{payment.amount} {payment.currency}",
        "captured": payment.captured,
        "refunded": payment.refunded,
        "customer": payment.customer_reference,
        "email": payment.customer_email,
        "created": moment(payment.created_at),
        "updated": moment(payment.updated_at),
        "revision": payment.revision,
    }


def _show_history(name: str, found: "History") -> None:
    console = wide_console()
    if found.payment is not None:
        console.print(pairs(name, _told(found.payment)))
    heads = ("received", "kind", "event", "state", "attempts", "finished or due", "in logs")
    console.print(table("events", heads, map(_event, found.events)))
    _print_rows("steps at the provider", ("at", "event", "step", "", "reference"), _steps(found.events))
    _print_rows("failures", ("at", "event", "attempt", "failure", "code", "message"), _failures(found.events))
    entries = (
        (moment(each.booked_at), each.leg, each.account, f"{each.amount} {each.currency}") for each in found.entries
    )
    _print_rows("entries", ("booked", "leg", "account", "amount"), entries)
    declines = ((moment(each.declined_at), each.kind, each.code) for each in found.declines)
    _print_rows("declines", ("at", "kind", "code"), declines)
    letters = ((each.id, each.state, each.reason, moment(each.first_failed_at)) for each in found.dead_letters)
    _print_rows("dead letters", ("id", "state", "reason", "first failed"), letters)
    if found.truncated:
        remark("there is more than an answer holds; each part shows its latest")


def _print_rows(title: str, heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    if told := list(rows):
        wide_console().print(table(title, heads, told))


def _event(event: "HistoryEvent") -> tuple[object, ...]:
    ends = moment(event.finished_at or event.due_at)
    return (
        moment(event.received_at),
        event.kind,
        event.event_id,
        event.state,
        event.attempts,
        ends,
        event.correlation_id or "",
    )


def _steps(events: Iterable["HistoryEvent"]) -> Iterator[tuple[object, ...]]:
    for event in events:
        for step in event.steps:
            yield moment(step.at), event.event_id, step.step, step.mark, step.reference_id or ""


def _failures(events: Iterable["HistoryEvent"]) -> Iterator[tuple[object, ...]]:
    for event in events:
        for each in event.failures:
            yield moment(each.at), event.event_id, each.attempt, each.kind, each.code, each.message
