"""The terminal: answers go to stdout, everything else to stderr."""

from typing import Any

import msgspec
from rich.console import Console


def error_console() -> Console:
    """Return the console for progress and remarks."""
    return Console(stderr=True)


def answer_console() -> Console:
    """Return the console for answers."""
    return Console()


def print_json(told: Any) -> None:  # noqa: ANN401 - whatever can be JSON
    """Print one JSON object on a line of stdout."""
    print(msgspec.json.encode(told).decode())  # noqa: T201 - the answer
