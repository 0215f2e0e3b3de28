"""What can be set of the log."""

from typing import Literal

from config.settings.group import Group, setting


class LogSettings(Group):
    """What is said, and how."""

    level: Literal["debug", "info", "warning", "error"] = setting("LOG_LEVEL", default="info", about="The least level.")
    form: Literal["console", "json"] = setting("LOG_FORMAT", default="console", about="For people or for machines.")
