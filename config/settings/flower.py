"""What can be set of Flower."""

from pydantic import SecretStr, field_validator

from config.settings.group import Group, setting


class FlowerSettings(Group):
    """Flower, which shows workers and tasks to a person."""

    address: str = setting("FLOWER_ADDRESS", default="127.0.0.1", about="The address that Flower listens on.")
    port: int = setting("FLOWER_PORT", default=5555, ge=0, le=65535, about="The port that Flower listens on.")
    url_prefix: str = setting(
        "FLOWER_URL_PREFIX", default="", about="The path below which a proxy has Flower, such as `flower`. Empty: none."
    )
    basic_auth: SecretStr | None = setting(
        "FLOWER_BASIC_AUTH",
        default=None,
        about="user:password[,user:password…]. Empty: a random password, printed when Flower starts.",
    )
    read_only: bool = setting(
        "FLOWER_READ_ONLY",
        default=True,
        about="Whether Flower only shows. Otherwise its pages and its API can stop workers and revoke tasks.",
    )
    max_tasks: int = setting(
        "FLOWER_MAX_TASKS", default=20_000, ge=100, about="How many tasks Flower remembers, in memory: 3 KB each."
    )

    @field_validator("basic_auth")
    @classmethod
    def _each_has_both_parts(cls, told: SecretStr | None) -> SecretStr | None:
        """Refuse what Flower would take, and nobody, or anybody, could log in with."""
        for login in told.get_secret_value().split(",") if told else ():
            user, _, password = login.partition(":")
            if not (user and password and login.isascii()):
                raise ValueError("must be user:password, in ASCII, or several of them with commas between")
        return told
