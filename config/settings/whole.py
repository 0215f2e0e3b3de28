"""Every group of settings, read once and held against each other."""

from functools import lru_cache
from urllib.parse import urlsplit

from config.settings.alerts import AlertSettings
from config.settings.api import ApiSettings
from config.settings.bridge import BridgeSettings
from config.settings.client import ClientSettings
from config.settings.database import DatabaseSettings
from config.settings.dead_letters import DeadLetterSettings
from config.settings.flower import FlowerSettings
from config.settings.gateway import GatewaySettings
from config.settings.group import Group, SettingsError
from config.settings.kafka import KafkaSettings
from config.settings.log import LogSettings
from config.settings.metrics import MetricsSettings
from config.settings.monitor import MonitorSettings
from config.settings.policies import PolicySettings
from config.settings.process import ProcessSettings
from config.settings.redis import RedisSettings
from config.settings.tracing import TraceSettings
from config.settings.work import WorkSettings


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
        self.tracing = TraceSettings()
        self.gateway = GatewaySettings()
        self.log = LogSettings()
        self.metrics = MetricsSettings()
        self.monitor = MonitorSettings()
        self.api = ApiSettings()
        self.client = ClientSettings()
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
    TraceSettings,
    GatewaySettings,
    LogSettings,
    MetricsSettings,
    MonitorSettings,
    ApiSettings,
    ClientSettings,
    FlowerSettings,
    ProcessSettings,
)


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Return the settings of this process, read from the environment and `.env` at the first call.

    Raises pydantic's ValidationError, which names the variable and what is wrong with it.
    """
    return Settings()
