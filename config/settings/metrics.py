"""What can be set of metrics."""

from config.settings.group import Group, setting


class MetricsSettings(Group):
    """Where processes keep what they count."""

    folder: str = setting(
        "METRICS_DIR",
        default="",
        about="A folder for metrics, which the processes of one machine share, and the monitor with them. Empty: each "
        "process keeps its own, where it has a PROBE_PORT to show them at.",
    )
