"""Where a failure came from, without anything that it came with: code places, no values, no source lines."""

import traceback
from pathlib import PurePath

_MOST_FRAMES = 20
_ROOTS = ("payments", "tasks", "workers", "config", "site-packages")


def stack_of(error: BaseException) -> str:
    """Return a line `file:line in function` for each frame, the outermost first, and then what caused it likewise.

    Exceptions are named by their type alone, since their text may quote a payment, and files from their package on.
    """
    parts = [_frames(error)]
    cause = error.__cause__
    while cause is not None and len(parts) < _MOST_FRAMES:
        parts.append(f"caused by {type(cause).__name__}\n{_frames(cause)}".rstrip())
        cause = cause.__cause__
    return "\n".join(part for part in parts if part)


def _frames(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return "\n".join(f"{_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames)


def _short(filename: str) -> str:
    """Return the path from its package on: where it is installed is nobody's business."""
    parts = PurePath(filename).parts
    begins = max((place for place, part in enumerate(parts) if part in _ROOTS), default=len(parts) - 1)
    return "/".join(part for part in parts[begins:] if part != "site-packages")
