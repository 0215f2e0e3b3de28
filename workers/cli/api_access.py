"""The way of a command to the API: what is set, and the options over it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from config.settings import load_settings
from payments.failures import BadRequest, Forbidden, Unauthorized
from workers.cli.terminal.refusal import wrong
from workers.logs import configure_logs

if TYPE_CHECKING:  # grpcio takes a while to load, and other verbs do without
    from payments.client import PaymentClient

Address = Annotated[
    str | None, typer.Option(help="Where the API is. Default: PAYFERRY_API.", metavar="HOST:PORT", show_default=False)
]
Plaintext = Annotated[
    bool, typer.Option("--plaintext", help="Send the token without TLS to another machine: the network is trusted.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
PaymentName = Annotated[
    str, typer.Argument(help="provider:id, such as stripe:pi_123; any id that the payment goes by.", metavar="ID")
]


@contextmanager
def opened_api(address: str | None, *, plaintext: bool) -> "Iterator[PaymentClient]":
    """Lend a connected client. What the API refuses is told with the setting that it is about."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what grpcio would write to stderr, we tell ourselves
    from payments.client import CallPolicy, Endpoint, PaymentClient  # noqa: PLC0415 - see above

    settings = load_settings()
    configure_logs(settings.log)
    told = settings.client
    endpoint = Endpoint(
        address=address or told.address,
        token=told.token.get_secret_value() if told.token else None,
        tls=told.tls,
        ca_file=told.ca_file,
        cert_file=told.cert_file,
        key_file=told.key_file,
        plaintext=plaintext,
    )
    policy = CallPolicy(connect_seconds=told.connect_seconds, deadline_seconds=told.deadline_seconds)
    try:
        with PaymentClient(endpoint, policy) as client:
            yield client
    except BadRequest as error:
        wrong(error.message)
    except Unauthorized:
        wrong("the API does not know us: set PAYFERRY_API_TOKEN to a token that API_TOKENS, where it runs, names")
    except Forbidden as error:
        wrong(f"{error.message}: API_TOKENS, where the API runs, says what the token in PAYFERRY_API_TOKEN may do")


def checked_name(name: str) -> str:
    """Return the name of a payment. One without its provider ends the command."""
    if not all(name.partition(":")):
        wrong(f"{name!r} names no payment; write provider:id, such as stripe:pi_123")
    return name
