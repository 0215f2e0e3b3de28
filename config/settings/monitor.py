"""What can be set of looking at processes: each by itself, and all of them by the monitor."""

from pydantic import field_validator

from config.settings.group import Group, setting

ROLES = ("bridge", "worker", "beat", "relay", "api")
"""The kinds of process that give signs of life."""


class MonitorSettings(Group):
    """The monitor, and the probes of single processes."""

    address: str = setting("MONITOR_ADDRESS", default="127.0.0.1", about="The address that the monitor listens on.")
    port: int = setting("MONITOR_PORT", default=9464, ge=1, le=65535, about="The port that the monitor listens on.")
    survey_seconds: float = setting(
        "SURVEY_SECONDS", default=3.0, ge=0.5, le=60, about="How often the monitor looks at everything."
    )
    required_roles: str = setting(
        "REQUIRED_ROLES",
        default="bridge,worker,beat,relay",
        about="The kinds of process without which the monitor finds the system unhealthy: of bridge, worker, beat, "
        "relay and api, with commas between them.",
    )
    probe_address: str = setting(
        "PROBE_ADDRESS", default="127.0.0.1", about="The address at which each process shows its health and metrics."
    )
    probe_port: int = setting(
        "PROBE_PORT",
        default=0,
        ge=0,
        le=65535,
        about="The port at which each process shows its health and metrics. 0: it does not.",
    )

    @field_validator("required_roles")
    @classmethod
    def _roles_are_known(cls, told: str) -> str:
        if unknown := [role for role in _names(told) if role not in ROLES]:
            raise ValueError(f"must be of {', '.join(ROLES)}, not {unknown[0]}")
        return told

    @property
    def roles(self) -> tuple[str, ...]:
        """The kinds of process that must be there."""
        return _names(self.required_roles)


def _names(told: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in told.split(",") if name.strip())
