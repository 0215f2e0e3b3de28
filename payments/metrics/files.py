"""The files that metrics are kept in: written safely where a disk is full, read although others change them."""

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from payments.metrics.catalogue import CATALOGUE

_LEAST_BYTES = 1 << 16
_MOST_BYTES_OF_ENTRY = 64
"""What an entry takes at most besides its key."""


class FilledFile(MmapedDict):
    """A file whose every byte is there on the disk before it is written to, as memory.

    The library leaves holes in its files. To write into one while the disk is full ends a process with SIGBUS, which
    nothing can catch; here the disk says so by an OSError, and nothing has changed.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002 - the library calls it
        with Path(filename).open("ab") as file:
            _fill(file.fileno(), max(_LEAST_BYTES, file.tell()))
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _MOST_BYTES_OF_ENTRY > self._capacity:
            _fill(self._f.fileno(), 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _fill(handle: int, size: int) -> None:
    os.posix_fallocate(handle, 0, size)


def is_readable(file: Path) -> bool:
    """Return whether a file can be read: one may just be made, or be half of what a machine left that lost power."""
    try:
        return bool(list(_keys(file)))
    except (OSError, ValueError, RuntimeError, struct.error):
        return False


def series(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the metric of each series that a file holds, with the values of its labels as the catalogue orders them."""
    for key in _keys(file):
        name, _, labels, _ = json.loads(key)
        if name in CATALOGUE:
            yield name, tuple(labels.get(label, "") for label in CATALOGUE[name].labels)


def _keys(file: Path) -> Iterator[str]:
    """Yield the keys of a file, in the library's own form. Raises where it is no whole file."""
    for key, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
        yield key
