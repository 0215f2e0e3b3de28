"""What can be set of alerts."""

from pydantic import SecretStr

from config.settings.group import Group, setting


class AlertSettings(Group):
    """Who is told when a person must look now."""

    sentry_dsn: SecretStr | None = setting(
        "SENTRY_DSN", default=None, about="Where critical events go besides the log: a Sentry DSN. Empty: nowhere."
    )
    sentry_environment: str = setting(
        "SENTRY_ENVIRONMENT", default="production", about="What Sentry is to call this installation."
    )
