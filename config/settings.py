"""Everything that can be set, with its documentation. The environment is read here and nowhere else.

Each group is a frozen value whose fields name their unit; `.env.example` is printed from this catalogue.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from config.schedule import check_schedule

POLICY_PREFIX = "PAYFERRY_POLICY__"
"""Begins the name of a variable that sets one key of the policies: docs/policies.md."""


def _env(*names: str, default: Any, about: str, **bounds: Any) -> Any:  # noqa: ANN401 - a field of any type
    return Field(default=default, validation_alias=AliasChoices(*names), description=about, **bounds)


class Group(BaseSettings):
    """One topic of settings."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=".env", env_ignore_empty=True, hide_input_in_errors=True
    )


def _of_scheme(url: str, *schemes: str) -> str:
    if url and url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


class KafkaSettings(Group):
    """Where payments come from, and where events and dead letters go."""

    bootstrap_servers: str = _env(
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_BROKERS",
        default="",
        about="host:port[,host:port…] of the Kafka brokers. Empty: `payferry up` starts an embedded one.",
    )
    topic: str = _env("KAFKA_TOPIC", default="payments.raw", about="The topic that payments arrive on.")
    group_id: str = _env("KAFKA_GROUP_ID", default="payferry-bridge", about="The consumer group of all bridges.")
    group_instance_id: str | None = _env(
        "KAFKA_GROUP_INSTANCE_ID",
        default=None,
        about="A name that this bridge keeps over restarts (static membership). One per bridge.",
    )
    events_topic: str = _env("KAFKA_EVENTS_TOPIC", default="payments.events", about="The topic of outgoing events.")
    on_new_group: Literal["earliest", "latest"] = _env(
        "KAFKA_AUTO_OFFSET_RESET", default="earliest", about="Where a group that has never committed starts to read."
    )
    on_lost_offset: Literal["fail", "earliest", "latest"] = _env(
        "KAFKA_ON_LOST_OFFSET",
        default="fail",
        about="What to do when a committed offset is no longer in the log. `fail` stops the bridge and says so.",
    )
    session_timeout_ms: int = _env(
        "KAFKA_SESSION_TIMEOUT_MS",
        default=6000,
        ge=1000,
        about="After this long without a sign of life a bridge is replaced.",
    )
    ssl: bool = _env("KAFKA_SSL", default=False, about="Speak TLS to the brokers.")
    ssl_ca_location: str | None = _env(
        "KAFKA_SSL_CA_LOCATION", default=None, about="File with the certificates to trust. Default: the system's."
    )
    ssl_certificate_location: str | None = _env(
        "KAFKA_SSL_CERTIFICATE_LOCATION", default=None, about="File with our certificate, for mutual TLS."
    )
    ssl_key_location: str | None = _env(
        "KAFKA_SSL_KEY_LOCATION", default=None, about="File with our private key, for mutual TLS."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = _env(
        "KAFKA_SASL_MECHANISM", default=None, about="How to log in to the brokers. Empty: no login."
    )
    sasl_username: str | None = _env("KAFKA_SASL_USERNAME", default=None, about="The user of the SASL login.")
    sasl_password: SecretStr | None = _env("KAFKA_SASL_PASSWORD", default=None, about="The password of the SASL login.")

    @property
    def dead_letter_topic(self) -> str:
        """The topic on which dead letters are announced."""
        return f"{self.topic}.dlq"

    @model_validator(mode="after")
    def _login_is_whole(self) -> "KafkaSettings":
        if self.sasl_mechanism and not (self.sasl_username and self.sasl_password):
            raise ValueError("KAFKA_SASL_MECHANISM needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        if not self.sasl_mechanism and (self.sasl_username or self.sasl_password):
            raise ValueError("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD need KAFKA_SASL_MECHANISM, such as PLAIN")
        return self


class RedisSettings(Group):
    """The broker of Celery: Redis or Valkey."""

    @field_validator("url")
    @classmethod
    def _url_is_redis(cls, url: str) -> str:
        return _of_scheme(url, "redis", "rediss", "sentinel")

    url: str = _env(
        "CELERY_BROKER_URL",
        "REDIS_URL",
        default="",
        repr=False,  # may hold a password
        about="redis://[:password@]host:port/db (rediss:// for TLS). Empty: `payferry up` starts an embedded Valkey.",
    )
    socket_connect_timeout_seconds: float = _env(
        "REDIS_CONNECT_TIMEOUT_SECONDS", default=3.0, gt=0, about="How long to try to connect."
    )
    socket_timeout_seconds: float = _env(
        "REDIS_TIMEOUT_SECONDS", default=5.0, gt=0, about="How long to wait for one answer."
    )
    max_connections: int = _env(
        "REDIS_MAX_CONNECTIONS", default=50, ge=10, about="Connections of one process; above the size of its pool."
    )
    named_state_url: str = _env(
        "PAYFERRY_STATE_REDIS_URL",
        default="",
        repr=False,  # may hold a password
        about="Redis for breakers, rate limits, retry budgets and cache: redis:// or rediss://. Empty: the broker's "
        "server, the database after its own; behind a sentinel:// broker it must be named, otherwise every process "
        "keeps them for itself.",
    )

    @property
    def state_url(self) -> str:
        """Where breakers, limits, budgets and cache are kept, with any password; empty: in each process alone."""
        if self.named_state_url or not self.url:
            return self.named_state_url
        broker = urlsplit(self.url)
        number = re.fullmatch(r"/?(\d*)", broker.path)
        if broker.scheme == "sentinel" or number is None:
            return ""
        return broker._replace(path=f"/{int(number[1] or 0) + 1}").geturl()


class DatabaseSettings(Group):
    """The ledger: PostgreSQL."""

    @field_validator("url")
    @classmethod
    def _url_is_postgresql(cls, url: str) -> str:
        return _of_scheme(url, "postgresql", "postgres")

    url: str = _env(
        "DATABASE_URL",
        default="",
        repr=False,  # may hold a password
        about="postgresql://user:password@host:port/database. Empty: `payferry up` starts an embedded PostgreSQL.",
    )
    pool_size: int = _env("DATABASE_POOL_SIZE", default=10, ge=2, about="Most connections of one process.")
    connect_timeout_seconds: int = _env(
        "DATABASE_CONNECT_TIMEOUT_SECONDS", default=3, ge=1, about="How long to try to connect."
    )
    statement_timeout_ms: int = _env(
        "DATABASE_STATEMENT_TIMEOUT_MS", default=5_000, ge=100, about="The longest that one statement may take."
    )


class BridgeSettings(Group):
    """How the bridge reads Kafka."""

    batch_size: int = _env("BRIDGE_BATCH_SIZE", default=1000, ge=1, le=10_000, about="Most records of one batch.")
    max_event_bytes: int = _env(
        "PAYMENT_MAX_BYTES", default=1_048_576, ge=1024, about="A larger record is a dead letter."
    )
    high_water_mark: int = _env(
        "BRIDGE_HIGH_WATER_MARK", default=50_000, ge=1, about="Unfinished events at which the bridge pauses."
    )
    low_water_mark: int = _env(
        "BRIDGE_LOW_WATER_MARK", default=25_000, ge=0, about="Unfinished events at which it goes on."
    )

    poison_share: float = _env(
        "BRIDGE_POISON_SHARE",
        default=0.2,
        gt=0,
        le=1,
        about="The bridge pauses, and calls for a person, where more of the last records than this share are no "
        "payment events: that is an outage of their producer. 1: never.",
    )
    poison_window: int = _env(
        "BRIDGE_POISON_WINDOW", default=500, ge=10, le=100_000, about="How many of the last records that looks at."
    )
    probe_seconds: float = _env(
        "BRIDGE_PROBE_SECONDS",
        default=30.0,
        gt=0,
        about="How often a bridge that is paused so takes a few records, to see whether they are well again.",
    )
    probe_size: int = _env("BRIDGE_PROBE_SIZE", default=50, ge=1, le=1000, about="How many records such a probe takes.")

    @model_validator(mode="after")
    def _marks_are_in_order(self) -> "BridgeSettings":
        if self.low_water_mark >= self.high_water_mark:
            raise ValueError("BRIDGE_LOW_WATER_MARK must be below BRIDGE_HIGH_WATER_MARK")
        return self


class WorkSettings(Group):
    """How workers take, limit and retry their work."""

    concurrency: int = _env(
        "WORKER_CONCURRENCY", default=4, ge=1, le=1000, about="How many payments one worker works on at a time."
    )
    soft_time_limit_seconds: float = _env(
        "TASK_SOFT_TIME_LIMIT_SECONDS", default=8.0, gt=0, about="After this long a task is told to end."
    )
    time_limit_seconds: float = _env(
        "TASK_TIME_LIMIT_SECONDS", default=9.0, gt=0, about="After this long its process is killed."
    )
    lease_seconds: float = _env(
        "LEASE_SECONDS", default=10.0, gt=0, about="How long a claimed payment is the worker's own."
    )
    visibility_timeout_seconds: int = _env(
        "VISIBILITY_TIMEOUT_SECONDS",
        default=600,
        gt=0,
        about="After this long Redis gives an unacknowledged message out.",
    )
    max_retries: int = _env(
        "PAYMENT_MAX_RETRIES",
        default=3,
        ge=0,
        le=100,
        about="Retries before a dead letter. Once set, it overrides those of the policies: docs/policies.md.",
    )
    backoff_base_seconds: float = _env(
        "BACKOFF_BASE_SECONDS",
        default=1.0,
        gt=0,
        le=86_400,
        about="The first delay, doubled each time. Once set, it overrides that of the policies.",
    )
    backoff_cap_seconds: float = _env(
        "BACKOFF_CAP_SECONDS",
        default=60.0,
        gt=0,
        about="The longest delay. Once set, it overrides that of the policies.",
    )
    out_of_order_wait_seconds: float = _env(
        "OUT_OF_ORDER_WAIT_SECONDS",
        default=5.0,
        gt=0,
        about="How long an event waits, each time, for a state that its payment has not reached.",
    )
    out_of_order_window_seconds: float = _env(
        "OUT_OF_ORDER_WINDOW_SECONDS", default=30.0, ge=0, about="How long in all, before it is buried."
    )
    sweep_interval_seconds: float = _env(
        "SWEEP_INTERVAL_SECONDS", default=1.0, ge=0.2, about="How often lost work is looked for."
    )
    sweep_grace_seconds: float = _env(
        "SWEEP_GRACE_SECONDS",
        default=2.0,
        ge=0.1,
        about="How long a wake-up may be under way before it counts as lost.",
    )
    sweep_batch_size: int = _env("SWEEP_BATCH_SIZE", default=5000, ge=1, about="Most wake-ups sent by one sweep.")

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> "WorkSettings":
        ladder = (
            ("TASK_SOFT_TIME_LIMIT_SECONDS", self.soft_time_limit_seconds),
            ("TASK_TIME_LIMIT_SECONDS", self.time_limit_seconds),
            ("LEASE_SECONDS", self.lease_seconds),
            ("VISIBILITY_TIMEOUT_SECONDS", self.visibility_timeout_seconds),
        )
        for (lower, low), (upper, high) in pairwise(ladder):
            if low >= high:
                raise ValueError(f"{lower} ({low:g}) must be below {upper} ({high:g})")
        countdowns = (
            ("BACKOFF_CAP_SECONDS", self.backoff_cap_seconds),
            ("OUT_OF_ORDER_WAIT_SECONDS", self.out_of_order_wait_seconds),
        )
        for name, seconds in countdowns:
            if seconds >= self.visibility_timeout_seconds:
                raise ValueError(f"{name} ({seconds:g}) must be below VISIBILITY_TIMEOUT_SECONDS")
        return self


class PolicySettings(Group):
    """What is done about failures. Each key can be set alone as PAYFERRY_POLICY__…: docs/policies.md."""

    path: str = _env(
        "PAYFERRY_POLICIES",
        default="",
        about="A file of your own, laid over config/policies.toml key by key; docs/policies.md. Empty: none.",
    )
    breaker_open_action: Literal["wait", "dead-letter"] = _env(
        "BREAKER_OPEN_ACTION",
        default="wait",
        about="What becomes of a payment whose provider's breaker is open: it waits, or is a dead letter at once.",
    )


class DeadLetterSettings(Group):
    """How dead letters are replayed, told of and kept."""

    replay_schedule: str = _env(
        "DLQ_REPLAY_SCHEDULE",
        default="60",
        about="When beat replays what is due: seconds between two runs, or a crontab of five fields in UTC, such as "
        "`*/5 * * * *`.",
    )
    replay_batch_size: int = _env(
        "DLQ_REPLAY_BATCH_SIZE", default=100, ge=1, le=10_000, about="Most dead letters that one run sends back."
    )
    replay_base_seconds: float = _env(
        "DLQ_REPLAY_BASE_SECONDS", default=60.0, gt=0, le=604_800, about="The delay before the first replay."
    )
    replay_factor: float = _env(
        "DLQ_REPLAY_FACTOR", default=5.0, ge=1, le=100, about="What the delay is multiplied by after each replay."
    )
    replay_cap_seconds: float = _env(
        "DLQ_REPLAY_CAP_SECONDS", default=3600.0, gt=0, le=2_592_000, about="The longest delay before a replay."
    )
    critical_amount: float = _env(
        "DLQ_CRITICAL_AMOUNT",
        default=10_000.0,
        ge=0,
        about="A dead letter over more than this amount, in whole units of its currency, is critical: a person is told "
        "at once. 0: no amount is.",
    )
    retention_days: float = _env(
        "DLQ_RETENTION_DAYS",
        default=30.0,
        gt=0,
        about="After this many days resolved and discarded dead letters are archived and purged. Others never are.",
    )
    archive_dir: str = _env(
        "DLQ_ARCHIVE_DIR",
        default="",
        about="A folder for the archives, the same for all workers. Empty: they are kept in the database.",
    )

    @field_validator("replay_schedule")
    @classmethod
    def _schedule_is_one(cls, told: str) -> str:
        check_schedule(told)
        return told


class AlertSettings(Group):
    """Who is told when a person must look now."""

    sentry_dsn: SecretStr | None = _env(
        "SENTRY_DSN", default=None, about="Where critical events go besides the log: a Sentry DSN. Empty: nowhere."
    )
    sentry_environment: str = _env(
        "SENTRY_ENVIRONMENT", default="production", about="What Sentry is to call this installation."
    )


class GatewaySettings(Group):
    """Where the providers are, and how long they may take."""

    sandbox_url: str = _env(
        "SANDBOX_URL",
        default="",
        about="Base URL of `payferry sandbox`. Every provider without a base URL of its own is played by it.",
    )
    stripe_base_url: str = _env("STRIPE_BASE_URL", default="", about="Such as https://api.stripe.com.")
    stripe_api_key: SecretStr = _env("STRIPE_API_KEY", default=SecretStr("sandbox"), about="Secret key.")
    razorpay_base_url: str = _env("RAZORPAY_BASE_URL", default="", about="Such as https://api.razorpay.com.")
    razorpay_api_key: SecretStr = _env(
        "RAZORPAY_API_KEY", default=SecretStr("sandbox:sandbox"), about="key_id:key_secret."
    )
    paypal_base_url: str = _env("PAYPAL_BASE_URL", default="", about="Such as https://api-m.paypal.com.")
    paypal_api_key: SecretStr = _env("PAYPAL_API_KEY", default=SecretStr("sandbox"), about="Access token.")
    canonical_base_url: str = _env(
        "CANONICAL_BASE_URL",
        default="",
        about="Base URL of your own processor, which speaks docs/sandbox.md's protocol.",
    )
    canonical_api_key: SecretStr = _env("CANONICAL_API_KEY", default=SecretStr("sandbox"), about="Bearer token.")
    connect_timeout_seconds: float = _env("GATEWAY_CONNECT_TIMEOUT_SECONDS", default=2.0, gt=0, about="To connect.")
    total_timeout_seconds: float = _env(
        "GATEWAY_TIMEOUT_SECONDS", default=3.5, gt=0, about="One call, from start to last byte."
    )
    max_connections: int = _env("GATEWAY_MAX_CONNECTIONS", default=100, ge=1, about="Open at once in one process.")


class LogSettings(Group):
    """What is said, and how."""

    level: Literal["debug", "info", "warning", "error"] = _env("LOG_LEVEL", default="info", about="The least level.")
    form: Literal["console", "json"] = _env("LOG_FORMAT", default="console", about="For people or for machines.")


class FlowerSettings(Group):
    """Flower, which shows workers and tasks to a person."""

    address: str = _env("FLOWER_ADDRESS", default="127.0.0.1", about="The address that Flower listens on.")
    port: int = _env("FLOWER_PORT", default=5555, ge=0, le=65535, about="The port that Flower listens on.")
    basic_auth: SecretStr | None = _env(
        "FLOWER_BASIC_AUTH",
        default=None,
        about="user:password[,user:password…]. Empty: a random password, printed when Flower starts.",
    )


class ProcessSettings(Group):
    """What a process is called, and where it says that it is ready."""

    name: str = _env("PROCESS_NAME", default="payferry", about="The name of this process, unique on its machine.")
    ready_dir: str = _env(
        "PAYFERRY_READY_DIR",
        default="",
        about="A folder in which each process makes a file of its name once it is ready. Empty: none.",
    )


class SettingsError(ValueError):
    """A setting that is needed is missing, or two contradict each other; the text names them."""


class Settings:
    """All groups, read once."""

    def __init__(self) -> None:
        self.kafka = KafkaSettings()
        self.redis = RedisSettings()
        self.database = DatabaseSettings()
        self.bridge = BridgeSettings()
        self.work = WorkSettings()
        self.policies = PolicySettings()
        self.dead_letters = DeadLetterSettings()
        self.alerts = AlertSettings()
        self.gateway = GatewaySettings()
        self.log = LogSettings()
        self.flower = FlowerSettings()
        self.process = ProcessSettings()
        self._check_state_url()
        self._check_dsn()
        self._check_calls()

    def require(self, *names: str) -> None:
        """Raise SettingsError that names each of the servers in `names` which nobody has set."""
        told = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": self.database.url,
        }
        if missing := [name for name in names if not told[name]]:
            raise SettingsError(f"{', '.join(missing)}: not set; only `payferry up` starts servers of its own")

    def _check_state_url(self) -> None:
        if self.redis.named_state_url and urlsplit(self.redis.named_state_url).scheme not in {"redis", "rediss"}:
            raise SettingsError("PAYFERRY_STATE_REDIS_URL must begin with redis:// or rediss://")

    def _check_dsn(self) -> None:
        """Refuse what Sentry's library would refuse, at the start and not at the first alarm."""
        dsn = self.alerts.sentry_dsn
        if dsn and not _is_dsn(dsn.get_secret_value()):
            raise SettingsError(
                "SENTRY_DSN must be https://<public key>@<host>/<project number>: "
                "copy it from Sentry's Client Keys, or leave it empty"
            )

    def _check_calls(self) -> None:
        """Hold a call below its task's limit: otherwise every slow answer would be an unknown outcome."""
        calls_seconds, task_seconds = 2 * self.gateway.total_timeout_seconds, self.work.soft_time_limit_seconds
        if calls_seconds >= task_seconds:
            raise SettingsError(
                f"twice GATEWAY_TIMEOUT_SECONDS ({calls_seconds:g}: authorize and capture) must be "
                f"below TASK_SOFT_TIME_LIMIT_SECONDS ({task_seconds:g})"
            )
        statement_seconds = self.database.statement_timeout_ms / 1000
        if statement_seconds >= task_seconds:
            raise SettingsError(
                f"DATABASE_STATEMENT_TIMEOUT_MS ({statement_seconds:g} s) must be "
                f"below TASK_SOFT_TIME_LIMIT_SECONDS ({task_seconds:g})"
            )


def _is_dsn(url: str) -> bool:
    """Return whether Sentry's library would take `url`. It is not asked: importing it takes 0.3 s."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # the port is no number, or the host no address
        return False
    has_names = bool(parts.hostname and parts.username)
    project = parts.path.rpartition("/")[2]
    return parts.scheme in {"http", "https"} and has_names and project.isascii() and project.isdecimal()


GROUPS: tuple[type[Group], ...] = (
    KafkaSettings,
    RedisSettings,
    DatabaseSettings,
    BridgeSettings,
    WorkSettings,
    PolicySettings,
    DeadLetterSettings,
    AlertSettings,
    GatewaySettings,
    LogSettings,
    FlowerSettings,
    ProcessSettings,
)


def policy_variables() -> dict[str, str]:
    """Return every variable that begins with POLICY_PREFIX, of `.env` and, before it, of the environment.

    Names are in upper case, however they were written; an empty value counts as not set.
    """
    read = {**DotEnvSettingsSource(Group).env_vars, **EnvSettingsSource(Group).env_vars}
    told = {name.upper(): value for name, value in read.items() if value}
    return {name: value for name, value in told.items() if name.startswith(POLICY_PREFIX)}


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Return the settings of this process, read from the environment and `.env` at the first call.

    Raises pydantic's ValidationError, which names the variable and what is wrong with it.
    """
    return Settings()
