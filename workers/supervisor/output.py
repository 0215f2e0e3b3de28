"""Where the output of supervised processes goes."""

import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.text import Text

_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "bright_blue")
KEPT_LINES = 20


class Output(Protocol):
    """Takes lines, without their end, from several threads at once."""

    def line(self, label: str, text: str) -> None:
        """Take a line that the process wrote."""

    def note(self, label: str, text: str) -> None:
        """Take a line about the process, of the supervisor's own."""

    def close(self) -> None:
        """No line will follow."""


class ConsoleOutput:
    """Each line after the name of its process, in the colour of that process where the console has colours."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}
        self._width = 0

    def line(self, label: str, text: str) -> None:
        """Print a line that the process wrote."""
        self._print(label, Text.from_ansi(text))

    def note(self, label: str, text: str) -> None:
        """Print a line about the process, in bold."""
        self._print(label, Text(text, style="bold"))

    def close(self) -> None:
        """Leave the console as it is."""

    def _print(self, label: str, text: Text) -> None:
        with self._lock:
            colour = self._colours.setdefault(label, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._width = max(self._width, len(label))
            name = Text(f"{label:<{self._width}} | ", style=colour)
            self._console.print(name + text, soft_wrap=True, highlight=False)


class FolderOutput:
    """One file a process, named for it, appended to; the supervisor's own lines go to `supervisor.log` as well."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()

    def line(self, label: str, text: str) -> None:
        """Append a line that the process wrote."""
        self._append(label, text)

    def note(self, label: str, text: str) -> None:
        """Append a line about the process."""
        self._append(label, text)
        self._append("supervisor", f"{label}: {text}")

    def close(self) -> None:
        """Leave the files as they are."""

    def _append(self, name: str, text: str) -> None:
        with self._lock, (self._folder / f"{name}.log").open("a") as file:
            file.write(f"{text}\n")


class LastLines:
    """The last lines of each process, on their way to another output."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._lines: dict[str, deque[str]] = {}

    def line(self, label: str, text: str) -> None:
        """Keep the line and hand it on."""
        self._keep(label, text)
        with suppress(OSError, ValueError):  # a closed terminal or a full disk must not end the processes
            self._output.line(label, text)

    def note(self, label: str, text: str) -> None:
        """Hand on a line about the process."""
        with suppress(OSError, ValueError):  # likewise
            self._output.note(label, text)

    def close(self) -> None:
        """Close the other output."""
        self._output.close()

    def of(self, label: str) -> list[str]:
        """Return the last lines that the process wrote, oldest first."""
        with self._lock:
            return list(self._lines.get(label, ()))

    def _keep(self, label: str, text: str) -> None:
        with self._lock:
            self._lines.setdefault(label, deque(maxlen=KEPT_LINES)).append(text)
