"""Saying that a process is ready: a file of its name, for supervisors and for container probes."""

from pathlib import Path

from config.settings import ProcessSettings
from workers.pulse.pulse import Pulse


def announce_ready(settings: ProcessSettings, pulse: Pulse | None = None) -> None:
    """Make the file, where a folder is set, and let the probe say so, where the process has a pulse."""
    if pulse is not None:
        pulse.is_ready = True
    if settings.ready_dir:
        (Path(settings.ready_dir) / settings.name).touch()


def is_ready(folder: Path, name: str) -> bool:
    """Return whether the process of that name has said so."""
    return (folder / name).exists()
