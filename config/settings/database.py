"""What can be set of the ledger."""

from pydantic import field_validator

from config.settings.group import Group, setting, url_of_scheme


class DatabaseSettings(Group):
    """The ledger: PostgreSQL."""

    @field_validator("url")
    @classmethod
    def _url_is_postgresql(cls, url: str) -> str:
        return url_of_scheme(url, "postgresql", "postgres")

    url: str = setting(
        "DATABASE_URL",
        default="",
        repr=False,  # may hold a password
        about="postgresql://user:password@host:port/database. Empty: `payferry up` starts an embedded PostgreSQL.",
    )
    pool_size: int = setting("DATABASE_POOL_SIZE", default=10, ge=2, about="Most connections of one process.")
    connect_timeout_seconds: int = setting(
        "DATABASE_CONNECT_TIMEOUT_SECONDS", default=3, ge=1, le=3600, about="How long to try to connect."
    )
    statement_timeout_ms: int = setting(
        "DATABASE_STATEMENT_TIMEOUT_MS",
        default=5_000,
        ge=100,
        le=3_600_000,
        about="The longest that one statement may take.",
    )
