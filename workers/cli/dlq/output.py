"""Writing to a file that somebody named, or to stdout."""

import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from payments.whole_file import FOR_US, whole_file
from workers.cli.terminal.refusal import cannot

STDOUT = Path("-")


def write_out(path: Path, content: bytes) -> None:
    """Write bytes to the file, whole or not at all, or to stdout; one that cannot be written ends the command."""
    with opened(path, compress=False) as write:
        write(content)


@contextmanager
def opened(path: Path, *, compress: bool) -> Iterator[Callable[[bytes], object]]:
    """Lend a way to write. Nobody but the owner can read the file: it may hold personal data."""
    if path == STDOUT:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    try:
        with whole_file(path, FOR_US) as file:
            if not compress:
                yield file.write
                return
            with gzip.GzipFile(fileobj=file, mode="wb", filename="") as packed:
                yield cast("IO[bytes]", packed).write
    except OSError as error:
        cannot(f"cannot write {path}: {error.strerror or error}")
