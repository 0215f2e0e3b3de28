"""Saying that a process is ready: a file of its name, for supervisors and for container probes."""

from pathlib import Path

from config.settings import ProcessSettings


def announce_ready(settings: ProcessSettings) -> None:
    """Make the file, where a folder is set."""
    if settings.ready_dir:
        (Path(settings.ready_dir) / settings.name).touch()


def is_ready(folder: Path, name: str) -> bool:
    """Return whether the process of that name has said so."""
    return (folder / name).exists()
