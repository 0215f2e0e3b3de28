"""What can be set of the bridge."""

from pydantic import model_validator

from config.settings.group import Group, setting


class BridgeSettings(Group):
    """How the bridge reads Kafka."""

    batch_size: int = setting("BRIDGE_BATCH_SIZE", default=1000, ge=1, le=10_000, about="Most records of one batch.")
    max_event_bytes: int = setting(
        "PAYMENT_MAX_BYTES", default=1_048_576, ge=1024, about="A larger record is a dead letter."
    )
    high_water_mark: int = setting(
        "BRIDGE_HIGH_WATER_MARK", default=50_000, ge=1, about="Unfinished events at which the bridge pauses."
    )
    low_water_mark: int = setting(
        "BRIDGE_LOW_WATER_MARK", default=25_000, ge=0, about="Unfinished events at which it goes on."
    )

    poison_share: float = setting(
        "BRIDGE_POISON_SHARE",
        default=0.2,
        gt=0,
        le=1,
        about="The bridge pauses, and calls for a person, where more of the last records than this share are no "
        "payment events: that is an outage of their producer. 1: never.",
    )
    poison_window: int = setting(
        "BRIDGE_POISON_WINDOW", default=500, ge=10, le=100_000, about="How many of the last records that looks at."
    )
    probe_seconds: float = setting(
        "BRIDGE_PROBE_SECONDS",
        default=30.0,
        gt=0,
        le=86_400,
        about="How often a bridge that is paused so takes a few records, to see whether they are well again.",
    )
    probe_size: int = setting(
        "BRIDGE_PROBE_SIZE", default=50, ge=1, le=1000, about="How many records such a probe takes."
    )

    @model_validator(mode="after")
    def _marks_are_in_order(self) -> "BridgeSettings":
        if self.low_water_mark >= self.high_water_mark:
            raise ValueError("BRIDGE_LOW_WATER_MARK must be below BRIDGE_HIGH_WATER_MARK")
        return self
