"""What can be set of Redis."""

import re
from urllib.parse import urlsplit

from pydantic import field_validator

from config.settings.group import Group, setting, url_of_scheme


class RedisSettings(Group):
    """The broker of Celery: Redis or Valkey."""

    @field_validator("url")
    @classmethod
    def _url_is_redis(cls, url: str) -> str:
        return url_of_scheme(url, "redis", "rediss", "sentinel")

    url: str = setting(
        "CELERY_BROKER_URL",
        "REDIS_URL",
        default="",
        repr=False,  # may hold a password
        about="redis://[:password@]host:port/db (rediss:// for TLS). Empty: `payferry up` starts an embedded Valkey.",
    )
    socket_connect_timeout_seconds: float = setting(
        "REDIS_CONNECT_TIMEOUT_SECONDS", default=3.0, gt=0, le=3600, about="How long to try to connect."
    )
    socket_timeout_seconds: float = setting(
        "REDIS_TIMEOUT_SECONDS", default=5.0, gt=0, le=3600, about="How long to wait for one answer."
    )
    max_connections: int = setting(
        "REDIS_MAX_CONNECTIONS", default=50, ge=10, about="Connections of one process; above the size of its pool."
    )
    named_state_url: str = setting(
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
