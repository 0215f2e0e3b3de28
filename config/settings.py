"""Everything that can be set, with its documentation. The environment is read here and nowhere else.

Each group is a frozen value; its fields name their unit. `.env.example` is written from this catalogue.
"""

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, AmqpDsn, Field, SecretStr, TypeAdapter, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _env(*names: str, default: Any = ..., about: str, **bounds: Any) -> Any:
    return Field(default=default, validation_alias=AliasChoices(*names), description=about, **bounds)


class _Group(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=".env", populate_by_name=True)
