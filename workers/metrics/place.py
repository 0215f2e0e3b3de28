"""Where the metrics of this process are to be: chosen at its start, before it forks."""

import atexit
import errno
import fcntl
import os
import shutil
import tempfile
from itertools import count
from pathlib import Path
from typing import IO

import structlog

from config.settings import Settings, SettingsError
from payments.log_events import teller
from payments.metrics.place import Place, keep_metrics_in

OWNER = "owner"
"""The file in a folder of metrics that names the process which it belongs to, and is locked by it and its children."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

_owned: list[IO[str]] = []


def claim_place(settings: Settings, role: str) -> None:
    """Keep metrics in a folder of this process' name in METRICS_DIR; else in one that only we show, or nowhere.

    What a process of that name has counted before goes on. What it held is no longer held. While that process, or a
    child that has outlived it, is still there, ours is the next folder: two that count in one file lose counts.

    Raises SettingsError where METRICS_DIR cannot be written. Only where its disk is full work goes on without.
    """
    try:
        folder = _folder(settings, role)
    except OSError as error:
        if error.errno not in _FULL:
            raise SettingsError(f"METRICS_DIR: {error.filename or ''} cannot be written: {error.strerror}") from None
        teller(structlog.get_logger())("metrics_unkept", reason=error.strerror)
        return
    if folder is not None:
        keep_metrics_in(Place(folder, role))


def _folder(settings: Settings, role: str) -> Path | None:
    if settings.metrics.folder:
        return _ours(Path(settings.metrics.folder), f"{role}-{settings.process.name}")
    if not settings.monitor.probe_port:
        return None
    folder = Path(tempfile.mkdtemp(prefix="payferry-metrics-"))
    atexit.register(_remove, folder, os.getpid())
    _own(folder)
    return folder


def _ours(root: Path, name: str) -> Path:
    """Return the first folder of that name that nobody has, without what was held in it."""
    folders = (root / (name if number == 1 else f"{name}.{number}") for number in count(1))
    folder = next(folder for folder in folders if _own(folder))
    for held in folder.glob("gauge_*.db"):
        held.unlink()
    return folder


def _own(folder: Path) -> bool:
    """Lock the folder for as long as we, or what we fork, live; return False where somebody else has."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / OWNER).open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _owned.append(file)
    return True


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and no child of it
        shutil.rmtree(folder, ignore_errors=True)
