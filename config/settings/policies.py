"""What can be set of the policies."""

from typing import Literal

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from config.settings.group import Group, setting

POLICY_PREFIX = "PAYFERRY_POLICY__"
"""Begins the name of a variable that sets one key of the policies: docs/policies.md."""


class PolicySettings(Group):
    """What is done about failures. Each key can be set alone as PAYFERRY_POLICY__…: docs/policies.md."""

    path: str = setting(
        "PAYFERRY_POLICIES",
        default="",
        about="A file of your own, laid over config/policies.toml key by key; docs/policies.md. Empty: none.",
    )
    breaker_open_action: Literal["wait", "dead-letter"] = setting(
        "BREAKER_OPEN_ACTION",
        default="wait",
        about="What becomes of a payment whose provider's breaker is open: it waits, or is a dead letter at once.",
    )


def policy_variables() -> dict[str, str]:
    """Return every variable that begins with POLICY_PREFIX, of `.env` and, before it, of the environment.

    Names are in upper case, however they were written; an empty value counts as not set.
    """
    read = {**DotEnvSettingsSource(Group).env_vars, **EnvSettingsSource(Group).env_vars}
    told = {name.upper(): value for name, value in read.items() if value}
    return {name: value for name, value in told.items() if name.startswith(POLICY_PREFIX)}
