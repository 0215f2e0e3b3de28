"""Where a process keeps its metrics: a folder of files, which its children share and which outlives each of them.

prometheus_client's multiprocess mode: each process adds up in memory that is mapped from a file of its own, so what a
killed child has counted stays counted. That mode is usually chosen by a variable that must be there before the library
is imported, which under `celery worker` Flower's plug-in does before any code of ours runs. Here it is chosen whenever
the instruments are made.
"""

import os
from pathlib import Path

import msgspec

from payments.metrics.files import is_readable, series

OWNED = ".pid"
"""What follows a slot in the name of the file that says which process has it."""


class Place(msgspec.Struct, frozen=True):
    """A folder, and what kind of process it belongs to."""

    folder: Path
    role: str

    def take(self, slot: str) -> None:
        """Make `slot` ours: counters that an earlier process left there go on, what it held is no longer held.

        Raises OSError where nothing can be written.
        """
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self.folder)
        (self.folder / f"{slot}{OWNED}").write_text(str(os.getpid()))
        for file in self.folder.glob(f"*_{slot}.db"):
            if file.name.startswith("gauge") or not is_readable(file):
                file.unlink(missing_ok=True)

    def known(self, slot: str) -> dict[str, set[tuple[str, ...]]]:
        """Return the labels of each metric's series that were counted in `slot` before."""
        found: dict[str, set[tuple[str, ...]]] = {}
        for file in self.folder.glob(f"*_{slot}.db"):
            for name, labels in series(file):
                found.setdefault(name, set()).add(labels)
        return found


_places: list[Place] = []


def keep_metrics_in(place: Place | None) -> None:
    """Say where this process, and those that it forks, keep their metrics. None: nowhere, as at the start."""
    _places[:] = [place] if place is not None else []


def metrics_place() -> Place | None:
    """Return where metrics are kept, or None."""
    return _places[0] if _places else None
