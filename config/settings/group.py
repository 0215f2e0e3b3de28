"""What a group of settings is made of."""

from typing import Any

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseSettings):
    """One topic of settings."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=".env",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,  # neither a clock nor a database takes them
    )


class SettingsError(ValueError):
    """A setting that is needed is missing, or two contradict each other; the text names them."""


def setting(*names: str, default: Any, about: str, **bounds: Any) -> Any:  # noqa: ANN401 - a field of any type
    """Return a field that is read from the first of the variables `names` that is set."""
    return Field(default=default, validation_alias=AliasChoices(*names), description=about, **bounds)


def url_of_scheme(url: str, *schemes: str) -> str:
    """Return `url`, which may be empty; raise ValueError where it begins with none of the schemes."""
    if url and url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url
