"""`payferry watch`: payments as they change, a line each."""

import os
import shlex
import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from payments.failures import BadRequest, ValidationFailed
from workers.cli.api_access import Address, Plaintext, opened_api
from workers.cli.payment_filters import Currencies, Customer, Providers, Since, Statuses, Until, filter_of, not_empty
from workers.cli.payment_lines import payment_line
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import remark
from workers.cli.terminal.tables import many
from workers.cli.terminal.times import span
from workers.cli.until import Until as Ending

if TYPE_CHECKING:  # grpcio takes a while to load, and other verbs do without
    from payments.client import Event, Reconnecting, Watch


def watch(  # noqa: PLR0913 - each argument is an option of the command line
    *,
    provider: Providers = None,
    status: Statuses = None,
    currency: Currencies = None,
    customer: Customer = None,
    since: Since = None,
    until: Until = None,
    cursor: Annotated[str | None, typer.Option(help="Go on after this one, as a watch has told it at its end.")] = None,
    count: Annotated[int | None, typer.Option(help="End after so many.", min=1)] = None,
    seconds: Annotated[float | None, typer.Option("--for", help="End after so many seconds.", min=0)] = None,
    max_reconnects: Annotated[int, typer.Option(help="Give up after so many failures in a row. 0: never.", min=0)] = 10,
    address: Address = None,
    existing: Annotated[bool, typer.Option("--existing", help="First every payment that there is.")] = False,
    plaintext: Plaintext = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show payments as they change, a line each: time, id, provider, amount, status. Ctrl-C ends it.

    A server that goes away is waited for, and what changed meanwhile is then shown: each change once. How many there
    were, and the cursor to go on with, are told on stderr at the end. Exits 1 where it had to give up.
    """
    from payments.client import Reconnect, WatchPolicy  # noqa: PLC0415 - see above

    not_empty("--cursor", cursor)
    meant = filter_of(provider, status, currency, customer, since, until)
    with opened_api(address, plaintext=plaintext) as client:
        watched = client.watch(
            meant,
            include_existing=existing,
            cursor=cursor,
            policy=WatchPolicy(reconnect=Reconnect(most_in_a_row=max_reconnects)),
            on_reconnect=_tell_reconnect_json if json else _tell_reconnect,
        )
        with watched, Ending(seconds, watched.close):
            try:
                _show(watched, count, json=json)
            except (BadRequest, ValidationFailed):  # with this cursor, or this filter, nobody goes on
                raise
            except BaseException:
                _end(watched, json=json)
                raise
            _end(watched, json=json)


def _end(watched: "Watch", *, json: bool) -> None:
    watched.close()
    (_tell_end_json if json else _tell_end)(watched)


def _show(watched: "Watch", count: int | None, *, json: bool) -> None:
    try:
        for event in islice(watched, count):
            print_json(event) if json else print(_line(event))  # noqa: T201 - the answer
            sys.stdout.flush()  # whoever reads a pipe wants it now
    except BrokenPipeError:  # whoever read it has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would complain at its end


def _line(event: "Event") -> str:
    return payment_line(event.payment, event.at) + ("  (existing)" if event.existing else "")


def _tell_reconnect(told: "Reconnecting") -> None:
    why = f"{told.failure.message} ({told.failure.code})"
    remark(f"{why}; failure {told.failures_in_a_row} in a row, again in {told.delay_seconds:.1f} s")


def _tell_reconnect_json(told: "Reconnecting") -> None:
    failure = {"code": told.failure.code, "message": told.failure.message}
    in_a_row = {"failures_in_a_row": told.failures_in_a_row, "delay_seconds": round(told.delay_seconds, 3)}
    _print_remark({"reconnecting": failure | in_a_row})


def _tell_end(watched: "Watch") -> None:
    told = watched.statistics
    parts = (f"{told.existing:,} existing", f"{told.new:,} new", span(told.duration_seconds))
    remark(", ".join((*parts, many(told.reconnects, "reconnect"))))
    if watched.cursor is not None:
        remark(f"to go on: the same with --cursor {shlex.quote(watched.cursor)}")


def _tell_end_json(watched: "Watch") -> None:
    told = msgspec.structs.asdict(watched.statistics)
    _print_remark(told | {"duration_seconds": round(told["duration_seconds"], 3), "cursor": watched.cursor})


def _print_remark(told: object) -> None:
    print(msgspec.json.encode(told).decode(), file=sys.stderr)  # noqa: T201 - a remark for machines
