"""Where all verbs come together, and where every failure becomes one line and an exit code."""

import sys

import psycopg
import typer
from pydantic import ValidationError

from config.settings import SettingsError
from payments.failures import ConfigurationError, Failure
from workers.cli import (
    api,
    breakers,
    bridge,
    check,
    local,
    monitor,
    parse,
    payment,
    payments,
    policies,
    produce,
    reconcile,
    report,
    serve,
    status,
    top,
    watch,
)
from workers.cli.dlq.app import dlq
from workers.cli.terminal.refusal import OneLineGroup, plain_reason
from workers.embedded.child import ServerNotReadyError
from workers.supervisor.supervisor import ProcessFailedError

app = typer.Typer(
    cls=OneLineGroup,
    help="Carries payments from Kafka through Celery into a ledger: none lost, each once, in order.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(local.up)
app.command()(local.demo)
app.command()(produce.produce)
app.command()(status.status)
app.command()(top.top)
app.command()(payment.payment)
app.add_typer(payments.payments, name="payments")
app.command()(watch.watch)
app.command()(policies.policies)
app.add_typer(breakers.breakers, name="breakers")
app.add_typer(dlq, name="dlq")
app.command()(reconcile.reconcile)
app.command()(report.report)
app.command()(check.check)
app.command()(parse.parse)
app.command()(serve.migrate)
app.add_typer(bridge.bridge, name="bridge")
app.command()(serve.relay)
app.command()(api.api)
app.command()(monitor.monitor)
app.command()(monitor.probe)
app.command()(serve.sandbox)
app.command()(serve.flower)


def main() -> None:
    """Run the verb that was asked for. Exit 1 where something failed, 2 where the input or a setting is wrong."""
    try:
        app(prog_name="payferry")  # however it was started
    except ValidationError as error:
        _end(_settings_wrong(error), 2)
    except SettingsError as error:
        _end(str(error), 2)
    except ConfigurationError as error:
        _end(error.message, 2)
    except (Failure, ServerNotReadyError, ProcessFailedError) as error:
        _end(str(error), 1)
    except psycopg.OperationalError as error:
        _end(f"PostgreSQL: {str(error).splitlines()[0]}. Set DATABASE_URL, or see `payferry check`.", 1)


def _settings_wrong(error: ValidationError) -> str:
    """Return one line that names each variable and what is wrong with it, without its value."""
    places = ((".".join(map(str, told["loc"])) or "settings", told["msg"]) for told in error.errors())
    return "; ".join(f"{place}: {plain_reason(message)}" for place, message in places)


def _end(message: str, code: int) -> None:
    print(f"payferry: {message}", file=sys.stderr)  # noqa: T201 - this is what a command line says
    sys.exit(code)
