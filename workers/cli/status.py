"""`payferry status`: what is where, now."""

from collections.abc import Callable
from typing import Annotated, Any

import redis
import typer
from rich.table import Table

from config.settings import Settings, load_settings
from payments.failures import Transient
from payments.from_settings import kafka_access
from payments.ledger.bridge_pauses import BridgePauses
from payments.ledger.census import Census
from payments.streams.reader import TopicReader
from payments.wiring import Wiring
from workers.cli.terminal.console import answer_console, print_json
from workers.logs import configure_logs
from workers.monitor.lag import lag_of, read_positions
from workers.monitor.queues import read_queues


def status(*, json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show how much is in the topic, in the inbox by state, in the queues, dead, and waiting to go out.

    Also whether the bridges are paused for poison. A part that cannot be asked is shown as null, with the reason; then
    the exit code is 1.
    """
    settings = load_settings()
    configure_logs(settings.log)
    settings.require("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "DATABASE_URL")
    wiring = Wiring(settings)
    parts = gather(settings, wiring.census(), wiring.bridge_pauses())
    if json:
        print_json(parts)
    else:
        _show(parts)
    raise typer.Exit(1 if parts["unreachable"] else 0)


def gather(settings: Settings, census: Census, pauses: BridgePauses) -> dict[str, Any]:
    """Return every part, or None in its place and the reason under `unreachable`."""
    unreachable: dict[str, str] = {}

    def part(name: str, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the part is
        try:
            return ask()
        except (Transient, redis.RedisError) as error:
            unreachable[name] = str(error)
            return None

    return {
        "inbox": part("inbox", census.states),
        "oldest_due_seconds": part("oldest_due_seconds", census.oldest_due_seconds),
        "dead_letters": part("dead_letters", census.dead_letters),
        "outbox": part("outbox", census.outbox_depth),
        "queues": part("queues", lambda: queue_depths(settings)),
        "lag": part("lag", lambda: lag(settings)),
        "bridge_pause": part("bridge_pause", lambda: pause_told(pauses)),
        "unreachable": unreachable,
    }


def queue_depths(settings: Settings) -> dict[str, int]:
    """Return how many messages each Celery queue holds, and how many workers hold unacknowledged."""
    timeout_seconds = settings.redis.socket_timeout_seconds
    with redis.Redis.from_url(settings.redis.url, socket_timeout=timeout_seconds) as client:
        found = read_queues(client)
    return {**found.waiting, "unacknowledged": found.unacknowledged}


def lag(settings: Settings) -> dict[str, int]:
    """Return how many records of each partition the bridges have not committed."""
    reader = TopicReader(kafka_access(settings), settings.kafka.topic, settings.kafka.group_id)
    try:
        return {str(number): records for number, records in lag_of(read_positions(reader)).items()}
    finally:
        reader.close()


def pause_told(pauses: BridgePauses) -> dict[str, Any] | None:
    """Return since when the bridges are paused for poison, by whom, for how many records; None while they are not."""
    pause = pauses.current()
    return pause.told() if pause is not None else None


def _show(parts: dict[str, Any]) -> None:
    table = Table(show_header=False, title="Payferry")
    for name, told in parts.items():
        if name == "lag" and told is not None:
            table.add_row("lag", f"{sum(told.values()):,} records in {len(told)} partitions")
        elif isinstance(told, dict):
            for key, value in told.items():
                table.add_row(f"{name} · {key}", f"{value:,}" if isinstance(value, int) else str(value))
        elif told is not None:
            table.add_row(name, f"{told:,}")
    answer_console().print(table)
