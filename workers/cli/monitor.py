"""`payferry monitor`: how the whole fleet is, over HTTP. `payferry probe`: how one process of this machine is."""

from typing import Annotated

import typer

from config.settings import load_settings
from payments.wiring import Wiring
from workers.cli.terminal.refusal import one_of, wrong
from workers.logs import configure_logs
from workers.metrics.place import claim_place
from workers.pulse.ask import PATHS, ask
from workers.readiness import announce_ready

_SELF = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - who listens there is asked here


def monitor() -> None:
    """Look at the whole fleet every few seconds, and tell over HTTP: /health, /metrics, /livez, /readyz."""
    from workers.monitor.server import serve  # noqa: PLC0415 - only this verb needs a web server in memory

    settings = load_settings()
    configure_logs(settings.log)
    settings.require("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "DATABASE_URL")
    claim_place(settings, "monitor")
    serve(settings, Wiring(settings).tell, lambda: announce_ready(settings.process))


def probe(
    what: Annotated[str, typer.Argument(help="live: does its loop make progress? ready: can it work?")] = "live",
    port: Annotated[
        int | None, typer.Option(help="The port of its probe. Default: PROBE_PORT.", min=1, max=65535)
    ] = None,
) -> None:
    """Ask the probe of a process on this machine. Exits 0 only if the process says yes; prints one line."""
    told = load_settings().monitor
    one_of("WHAT", what, tuple(PATHS))
    chosen = port or told.probe_port
    if not chosen:
        wrong("PROBE_PORT is not set, so no process can be probed; set it for the process, or tell --port")
    is_well, words = ask(what, chosen, _SELF.get(told.probe_address, told.probe_address))
    print(words)  # noqa: T201 - the answer
    raise typer.Exit(0 if is_well else 1)
