"""`payferry produce`: made-up payments, or those of a file, onto the topic."""

import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from config.settings import load_settings
from payments.event import Provider
from payments.failures import ConfigurationError, Failure, KafkaUnauthorized, Undecodable, UnknownTopic
from payments.providers.decoding import decode_event
from payments.resilience.backoff import Backoff
from payments.streams.publisher import Outgoing, Retries, StreamPublisher
from payments.wiring import Wiring
from workers.cli.terminal.console import error_console, print_json
from workers.logs import configure_logs
from workers.traffic import Traffic, outgoing

_CHUNK = 500

_RETRIES = Retries(most=2, delay_seconds=Backoff(base_seconds=1.0, cap_seconds=5.0).delay_seconds)
"""After a delivery that took 30 s in vain: a broker that is started anew is back by then, and a person still waits."""

_ADVICE: Mapping[type[Failure], str] = {
    UnknownTopic: "the brokers have no topic {topic}: create it, or set KAFKA_TOPIC",
    KafkaUnauthorized: "the brokers refuse our login, or our right to write {topic}: see KAFKA_SASL_… and KAFKA_SSL",
}


def produce(  # noqa: PLR0913 - each argument is an option of the command line
    count: Annotated[int, typer.Option(help="How many records.", min=1)] = 100,
    rate: Annotated[float | None, typer.Option(help="Records a second. Default: as fast as it goes.", min=0.01)] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between two records.", min=0)] = None,
    file: Annotated[Path | None, typer.Option(help="Provider messages, one a line, instead of made-up ones.")] = None,
    provider: Annotated[Provider | None, typer.Option(help="Made-up messages of this one only.")] = None,
    bad: Annotated[float, typer.Option(help="Share of malformed records.", min=0, max=1)] = 0.0,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same records.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="How publishing went, as one JSON object.")] = False,
) -> None:
    """Put payment events on the topic. Exits 0 only once the brokers have confirmed every one."""
    if rate is not None and interval is not None:
        raise typer.BadParameter("give --rate or --interval, not both", param_hint="--interval")
    settings = load_settings()
    configure_logs(settings.log)
    topic = settings.kafka.topic
    messages = _from_file(file, topic) if file else made_up(topic, count, seed, provider, bad)
    settings.require("KAFKA_BOOTSTRAP_SERVERS")
    pause_seconds = interval if interval is not None else (1 / rate if rate else 0.0)
    publisher = Wiring(settings).publisher(retries=_RETRIES)
    try:
        sent = send(publisher, messages, pause_seconds=pause_seconds, total=None if file else count)
    except (UnknownTopic, KafkaUnauthorized) as failure:
        raise ConfigurationError(_ADVICE[type(failure)].format(topic=topic)) from failure
    finally:
        if json:
            print_json(publisher.report().told())
    error_console().print(f"{sent} records on {topic}")


def made_up(
    topic: str, count: int, seed: int | None = None, provider: Provider | None = None, bad_ratio: float = 0.0
) -> Iterator[Outgoing]:
    """Return `count` made-up records for `topic`."""
    traffic = Traffic(
        secrets.randbits(31) if seed is None else seed,
        tuple(Provider) if provider is None else (provider,),
        bad_ratio=bad_ratio,
    )
    return (outgoing(message, topic) for message in traffic.messages(count))


def send(
    publisher: StreamPublisher,
    messages: Iterable[Outgoing],
    *,
    pause_seconds: float = 0.0,
    total: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Send all, evenly paced, and return how many the brokers confirmed. Raises PublishFailed."""
    chunk = _CHUNK if pause_seconds == 0 else max(1, min(_CHUNK, int(0.05 / pause_seconds)))
    sent, started = 0, clock()
    with Progress(console=error_console(), transient=True) as progress:
        bar = progress.add_task("producing", total=total)
        for batch in _batched(messages, chunk):
            sent += publisher.send(batch)
            progress.update(bar, completed=sent)
            time.sleep(max(0.0, started + sent * pause_seconds - clock()))  # the pace that was asked for
    return sent


def _batched(messages: Iterable[Outgoing], size: int) -> Iterator[tuple[Outgoing, ...]]:
    left = iter(messages)
    while batch := tuple(itertools.islice(left, size)):
        yield batch


def _from_file(path: Path, topic: str) -> Iterator[Outgoing]:
    """Yield a record for each line, keyed by its payment, so that the order of each payment holds."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--file") from error
    return (Outgoing(topic=topic, key=_key(line), value=line) for line in lines if line.strip())


def _key(line: bytes) -> bytes:
    try:
        return (decode_event(line).ordering_key or "").encode()
    except Undecodable:  # produced all the same, to see it buried
        return b""
