"""What can be set of one process."""

from config.settings.group import Group, setting


class ProcessSettings(Group):
    """What a process is called, and where it says that it is ready."""

    name: str = setting("PROCESS_NAME", default="payferry", about="The name of this process, unique on its machine.")
    ready_dir: str = setting(
        "PAYFERRY_READY_DIR",
        default="",
        about="A folder in which each process makes a file of its name once it is ready. Empty: none.",
    )
