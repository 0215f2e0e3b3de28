"""`payferry check`: whether everything that is set is also there."""

from collections.abc import Callable, Iterator
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import psycopg
import redis
import typer
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from config.policies import told_policies
from config.settings import Settings, SettingsError, load_settings
from payments.failures import ConfigurationError
from payments.from_settings import endpoints, kafka_access
from payments.policy_check import load_policies
from workers.cli.terminal.console import answer_console, print_json
from workers.logs import configure_logs

_SECONDS = 5.0
_VERSION = "0006"

Finding = tuple[str, str | None]
"""What was tried, and what is wrong with it; None: nothing."""


def check(*, json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Try every configured server and setting, and say in plain words what is wrong. Exits 1 where something is."""
    settings = load_settings()
    configure_logs(settings.log)
    findings = dict(_findings(settings))
    wrong = {name: reason for name, reason in findings.items() if reason is not None}
    if json:
        print_json({"ok": not wrong, "checks": findings})
    else:
        for name, reason in findings.items():
            mark = "[red]wrong[/]" if reason else "[green]ok[/]   "
            answer_console().print(f"{mark} {name}{f': {reason}' if reason else ''}", soft_wrap=True)
    raise typer.Exit(1 if wrong else 0)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield "settings", None  # reading them has checked them
    for name, ask in _CHECKS.items():
        yield name, ask(settings)


def _kafka(settings: Settings) -> str | None:
    told = settings.kafka
    if not told.bootstrap_servers:
        return "KAFKA_BOOTSTRAP_SERVERS is not set; only `payferry up` starts a Kafka of its own"
    try:
        topics = AdminClient(kafka_access(settings).options()).list_topics(timeout=_SECONDS).topics
    except KafkaException as error:
        return (
            f"no answer from {told.bootstrap_servers} ({error.args[0].name()}); is KAFKA_SSL or KAFKA_SASL_… missing?"
        )
    missing = [name for name in (told.topic, told.events_topic, told.dead_letter_topic) if name not in topics]
    if told.topic in missing:
        return f"the brokers answer, but there is no topic {', '.join(missing)}; create it, or set KAFKA_TOPIC"
    if missing and not _creates_topics(settings):
        return (
            f"the brokers answer, but there is no topic {', '.join(missing)}, and they make none themselves; create it"
        )
    return None


def _creates_topics(settings: Settings) -> bool:
    """Return whether the brokers make a topic at its first use; where they do not say, they are taken to."""
    admin = AdminClient(kafka_access(settings).options())
    try:
        broker = next(iter(admin.list_topics(timeout=_SECONDS).brokers))
        resource = ConfigResource(ConfigResource.Type.BROKER, str(broker))
        entry = admin.describe_configs([resource])[resource].result(_SECONDS).get("auto.create.topics.enable")
    except (KafkaException, StopIteration, TimeoutError):
        return True
    return entry is None or entry.value != "false"


def _redis(settings: Settings) -> str | None:
    if not settings.redis.url:
        return "REDIS_URL (or CELERY_BROKER_URL) is not set; only `payferry up` starts a Valkey of its own"
    try:
        with redis.Redis.from_url(
            settings.redis.url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as client:
            return _redis_advice(client)
    except (redis.RedisError, ValueError) as error:
        return f"no answer: {error}"


def _redis_advice(client: "redis.Redis") -> str | None:
    """Return what would make Redis lose or refuse messages. The inbox survives it, at the price of time."""
    try:
        policy = str(client.config_get("maxmemory-policy").get("maxmemory-policy"))
    except redis.ResponseError:
        return None  # a hosted Redis may forbid CONFIG
    if policy != "noeviction":
        return f"maxmemory-policy is {policy}: queued messages can be evicted; set it to noeviction"
    return None


def _shared_state(settings: Settings) -> str | None:
    url = settings.redis.state_url
    if not url:
        if not settings.redis.url:
            return None  # said of Redis already
        return "breakers, limits and budgets have no place that all can see; set PAYFERRY_STATE_REDIS_URL"
    try:
        with redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return f"no answer from the Redis of breakers and limits ({error}); set PAYFERRY_STATE_REDIS_URL"
    return None


def _policies(settings: Settings) -> str | None:
    try:
        load_policies(told_policies(settings))
    except ConfigurationError as error:
        return error.message
    return None


def _postgresql(settings: Settings) -> str | None:
    if not settings.database.url:
        return "DATABASE_URL is not set; only `payferry up` starts a PostgreSQL of its own"
    try:
        with psycopg.connect(settings.database.url, connect_timeout=int(_SECONDS)) as connection:
            known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            version = known and known[0] and connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.Error as error:
        return f"no answer: {str(error).splitlines()[0]}"
    if not version:
        return "the database has no tables; run `payferry migrate`"
    if version[0] != _VERSION:
        return f"the tables are of version {version[0]}, this program's are {_VERSION}; run `payferry migrate`"
    return None


def _providers(settings: Settings) -> str | None:
    places = endpoints(settings)
    if not places:
        return "no provider has a base URL; set STRIPE_BASE_URL …, or SANDBOX_URL for `payferry sandbox`"
    silent = [f"{provider} at {place.base_url}" for provider, place in places.items() if not _listens(place.base_url)]
    return f"no answer from {', '.join(silent)}" if silent else None


def _listens(url: str) -> bool:
    try:
        httpx.get(url, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return True


def _sentry(settings: Settings) -> str | None:
    dsn = settings.alerts.sentry_dsn
    if dsn is None:
        return None  # alarms are in the log alone
    place = urlsplit(dsn.get_secret_value())
    host = place.netloc.rpartition("@")[2]  # without the key, which nobody need see
    if not _listens(f"{place.scheme}://{host}"):
        return "no answer from the host in SENTRY_DSN; compare it with Sentry's Client Keys, or leave it empty"
    return None


def _api(settings: Settings) -> str | None:
    """Read what `payferry api` will read: its tokens, and the files of TLS."""
    from workers.api.building import server_policy  # noqa: PLC0415 - brings grpc
    from workers.api.server import credentials  # noqa: PLC0415 - likewise

    try:
        settings.api.clients()
        if settings.api.tls_cert_file:
            credentials(server_policy(settings))
    except (SettingsError, ConfigurationError) as error:
        return str(error) if isinstance(error, SettingsError) else error.message
    return None


_CHECKS: dict[str, Callable[[Settings], str | None]] = {
    "Kafka": _kafka,
    "policies": _policies,
    "Redis": _redis,
    "shared state": _shared_state,
    "PostgreSQL": _postgresql,
    "providers": _providers,
    "Sentry": _sentry,
    "gRPC API": _api,
}
