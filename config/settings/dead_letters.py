"""What can be set of dead letters."""

from pydantic import field_validator

from config.schedule import check_schedule
from config.settings.group import Group, setting


class DeadLetterSettings(Group):
    """How dead letters are replayed, told of and kept."""

    replay_schedule: str = setting(
        "DLQ_REPLAY_SCHEDULE",
        default="60",
        about="When beat replays what is due: seconds between two runs, or a crontab of five fields in UTC, such as "
        "`*/5 * * * *`.",
    )
    replay_batch_size: int = setting(
        "DLQ_REPLAY_BATCH_SIZE", default=100, ge=1, le=10_000, about="Most dead letters that one run sends back."
    )
    replay_base_seconds: float = setting(
        "DLQ_REPLAY_BASE_SECONDS", default=60.0, gt=0, le=604_800, about="The delay before the first replay."
    )
    replay_factor: float = setting(
        "DLQ_REPLAY_FACTOR", default=5.0, ge=1, le=100, about="What the delay is multiplied by after each replay."
    )
    replay_cap_seconds: float = setting(
        "DLQ_REPLAY_CAP_SECONDS", default=3600.0, gt=0, le=2_592_000, about="The longest delay before a replay."
    )
    critical_amount: float = setting(
        "DLQ_CRITICAL_AMOUNT",
        default=10_000.0,
        ge=0,
        about="A dead letter over more than this amount, in whole units of its currency, is critical: a person is told "
        "at once. 0: no amount is.",
    )
    retention_days: float = setting(
        "DLQ_RETENTION_DAYS",
        default=30.0,
        gt=0,
        le=36_500,
        about="After this many days resolved and discarded dead letters are archived and purged. Others never are.",
    )
    archive_dir: str = setting(
        "DLQ_ARCHIVE_DIR",
        default="",
        about="A folder for the archives, the same for all workers. Empty: they are kept in the database.",
    )

    @field_validator("replay_schedule")
    @classmethod
    def _schedule_is_one(cls, told: str) -> str:
        check_schedule(told)
        return told
