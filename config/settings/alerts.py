"""What can be set of alerts."""

from pydantic import SecretStr

from config.settings.group import Group, setting


class AlertSettings(Group):
    """Who is told when a person must look now."""

    sentry_dsn: SecretStr | None = setting(
        "SENTRY_DSN",
        default=None,
        about="Where what a person should see goes besides the log: a Sentry DSN. Empty: nowhere.",
    )
    sentry_environment: str = setting(
        "SENTRY_ENVIRONMENT", default="production", about="What Sentry is to call this installation."
    )
    sentry_release: str = setting(
        "SENTRY_RELEASE", default="", about="What Sentry is to call this release. Empty: payferry@ and the version."
    )
    sentry_crons: bool = setting(
        "SENTRY_CRONS", default=True, about="Whether Sentry watches that beat's tasks run, where SENTRY_DSN is set."
    )
