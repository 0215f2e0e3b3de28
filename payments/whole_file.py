"""A file that appears whole, or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FOR_ALL = 0o644
"""The mode that a plain `open` would give."""

FOR_US = 0o600
"""The mode of what may hold personal data."""


def write_whole(path: Path, content: bytes, mode: int = FOR_ALL) -> None:
    """Write `content` to `path`, in place of what was there. Raises OSError, and then nothing has changed."""
    with whole_file(path, mode) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, mode: int = FOR_ALL) -> Iterator[IO[bytes]]:
    """Lend a file that takes the place of `path` once the block has ended well.

    It is written and flushed under another name in the same folder first, so whoever looks at `path`, also after a
    crash, finds the old file or the new one. Where the block raises, or this does (OSError), nothing has changed.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101 - mkstemp's own is for us alone
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
