"""`payferry bridge | relay | sandbox | migrate`: the processes that are not Celery's."""

import os
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

import config
from config.settings import Settings, load_settings
from payments.from_settings import poison_policy
from payments.tracing.tracer import traces_flushed
from payments.wiring import Wiring
from workers.last_words import last_words
from workers.logs import configure_logs
from workers.metrics.place import claim_place
from workers.pulse.heart import beating
from workers.readiness import announce_ready


def migrate() -> None:
    """Bring the ledger's tables to the newest form. Safe to repeat, and to run from several places at once."""
    from payments.ledger.schema import migrate as bring_up  # noqa: PLC0415 - brings SQLAlchemy

    settings = _settings()
    settings.require("DATABASE_URL")
    bring_up(settings.database.url)


def bridge() -> None:
    """Carry records from Kafka into the inbox and wake the workers. Stops cleanly on SIGTERM."""
    from workers.app import app  # noqa: PLC0415 - only this verb and the workers need Celery in memory
    from workers.bridge import Bridge, BridgePolicy  # noqa: PLC0415 - likewise

    settings = _settings()
    settings.require("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "DATABASE_URL")
    claim_place(settings, "bridge")
    wiring = Wiring(settings)
    policy = BridgePolicy(
        batch_size=settings.bridge.batch_size,
        high_water_mark=settings.bridge.high_water_mark,
        low_water_mark=settings.bridge.low_water_mark,
        poison=poison_policy(settings),
        name=f"{settings.process.name}@{socket.gethostname()}",
    )
    edges = wiring.consumer(), wiring.intake(app), wiring.inbox(), wiring.bridge_pauses()
    carrier = Bridge(*edges, policy, wiring.tell)
    signal.signal(signal.SIGTERM, carrier.stop)
    signal.signal(signal.SIGINT, carrier.stop)
    with beating(settings, "bridge") as pulse, traces_flushed(), last_words(wiring.tell):
        pulse.report_by(carrier.report)
        announce_ready(settings.process, pulse)
        carrier.run(pulse.turn)


def relay() -> None:
    """Send the outbox to Kafka, beside any number of other relays. Stops cleanly on SIGTERM."""
    from workers.relay import Relay  # noqa: PLC0415 - only this verb needs it

    settings = _settings()
    settings.require("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")
    claim_place(settings, "relay")
    wiring = Wiring(settings)
    with beating(settings, "relay") as pulse, traces_flushed(), last_words(wiring.tell):
        sender = Relay(wiring.relay_desk(), turned=pulse.turn)
        pulse.report_by(sender.report)
        signal.signal(signal.SIGTERM, sender.stop)
        signal.signal(signal.SIGINT, sender.stop)
        announce_ready(settings.process, pulse)
        sender.run()


def flower() -> None:
    """Show workers and tasks to a person, with our options; see FLOWER_ADDRESS, FLOWER_PORT and FLOWER_BASIC_AUTH."""
    options = Path(config.__file__).with_name("flower.py")
    os.execvp("celery", ["celery", "-A", "workers.app", "flower", f"--conf={options}"])  # noqa: S606, S607 - no shell


def sandbox(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8080,
    effects: Annotated[
        Path | None, typer.Option(help="File that keeps the effects over a restart. Default: memory only.")
    ] = None,
    latency_ms: Annotated[int, typer.Option(help="How long each answer takes.", min=0)] = 0,
    latency_jitter_ms: Annotated[int, typer.Option(help="How much longer it may take.", min=0)] = 0,
    error_rate: Annotated[float, typer.Option(help="Share of 5xx answers.", min=0, max=1)] = 0.0,
    rate_limit_rate: Annotated[float, typer.Option(help="Share of 429 answers.", min=0, max=1)] = 0.0,
    decline_rate: Annotated[float, typer.Option(help="Share of payments that are declined.", min=0, max=1)] = 0.0,
    timeout_after_effect_rate: Annotated[
        float, typer.Option(help="Share of effects whose answer never comes.", min=0, max=1)
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Decides which requests meet which fate.")] = 0,
) -> None:
    """Play Stripe, Razorpay, PayPal and the canonical processor over HTTP, with faults on demand."""
    from workers.sandbox.faults import Faults  # noqa: PLC0415 - only this verb needs a web server in memory
    from workers.sandbox.server import serve  # noqa: PLC0415 - likewise

    _settings()
    faults = Faults(
        latency_ms=latency_ms,
        latency_jitter_ms=latency_jitter_ms,
        error_rate=error_rate,
        rate_limit_rate=rate_limit_rate,
        decline_rate=decline_rate,
        timeout_after_effect_rate=timeout_after_effect_rate,
        seed=seed,
    )
    serve(host, port, faults, effects)


def _settings() -> Settings:
    settings = load_settings()
    configure_logs(settings.log)
    return settings
