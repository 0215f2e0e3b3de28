"""`payferry reconcile`: whether anything was lost, done twice, or booked wrongly."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich.table import Table

from config.settings import Settings, load_settings
from payments.failures import Unreachable
from payments.flows.reconcile import Capture, Reconciliation, Tally, check_money
from payments.from_settings import kafka_access
from payments.ledger.census import Census
from payments.streams.reader import TopicReader
from payments.whole_file import write_whole
from payments.wiring import Wiring
from workers.cli.terminal.console import answer_console, print_json
from workers.logs import configure_logs

_PAGE = 10_000


def reconcile(
    since: Annotated[datetime | None, typer.Option(help="Only records from then on, by Kafka's timestamps.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the JSON object to this file instead.")] = None,
) -> None:
    """Read the topic from its beginning and compare it with the inbox, the ledger and the sandbox's effects.

    Exits 1 where lost, double_effects or money_mismatch is not 0.
    """
    settings = load_settings()
    configure_logs(settings.log)
    settings.require("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")
    found = compare(settings, Wiring(settings).census(), since)
    if output is not None:
        write_whole(output, msgspec.json.encode(found))
    else:
        show(found, json=json)
    raise typer.Exit(0 if found.is_clean else 1)


def compare(settings: Settings, census: Census, since: datetime | None = None) -> Reconciliation:
    """Return the books against the topic. Raises KafkaAway, DatabaseAway."""
    tally = Tally(census, settings.kafka.topic, settings.bridge.max_event_bytes)
    reader = TopicReader(kafka_access(settings), settings.kafka.topic, settings.kafka.group_id)
    try:
        committed = reader.committed()
        for record in reader.records(since):
            tally.count(record, committed=record.offset < committed.get(record.partition, 0))
    finally:
        reader.close()
    captures = sandbox_captures(settings.gateway.sandbox_url) if settings.gateway.sandbox_url else None
    return tally.result(*check_money(census, captures))


def show(found: Reconciliation, *, json: bool) -> None:
    """Print it, for people or for machines."""
    if json:
        print_json(found)
        return
    table = Table(title="Kafka against the ledger", show_header=False)
    for name, value in msgspec.structs.asdict(found).items():
        wrong = value and name in {"lost", "double_effects", "money_mismatch"}
        table.add_row(name.replace("_", " "), f"{value:,}", style="bold red" if wrong else "")
    answer_console().print(table)


def sandbox_captures(url: str) -> Iterator[Capture]:
    """Yield the captures that the sandbox performed."""
    after = 0
    with httpx.Client(base_url=url, timeout=10) as client:
        while effects := _page(client, after):
            for effect in effects:
                if effect["action"] == "capture":
                    name = f"{effect['provider']}:{effect['payment_id']}"
                    yield Capture(name=name, amount_minor=effect["amount_minor"])
            after = effects[-1]["seq"]


def _page(client: httpx.Client, after: int) -> list[dict[str, Any]]:
    try:
        answer = client.get("/sandbox/effects", params={"after": after, "limit": _PAGE}).raise_for_status()
    except httpx.HTTPError as error:
        raise Unreachable("its effects cannot be read", code="sandbox_away", service="sandbox") from error
    effects: list[dict[str, Any]] = answer.json()["effects"]
    return effects
