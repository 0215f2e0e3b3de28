"""What can be set of Flower."""

from pydantic import SecretStr

from config.settings.group import Group, setting


class FlowerSettings(Group):
    """Flower, which shows workers and tasks to a person."""

    address: str = setting("FLOWER_ADDRESS", default="127.0.0.1", about="The address that Flower listens on.")
    port: int = setting("FLOWER_PORT", default=5555, ge=0, le=65535, about="The port that Flower listens on.")
    basic_auth: SecretStr | None = setting(
        "FLOWER_BASIC_AUTH",
        default=None,
        about="user:password[,user:password…]. Empty: a random password, printed when Flower starts.",
    )
