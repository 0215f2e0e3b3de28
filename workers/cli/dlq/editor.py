"""A text in the editor of whoever sits at the terminal."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from workers.cli.terminal.refusal import cannot

_USUAL = "vi"


def edited(text: str, suffix: str) -> str:
    """Return `text` as it is once $VISUAL, $EDITOR or vi has ended; where that fails the command ends with a line.

    Meanwhile it is in a file that nobody else can read, and that goes away with the editor.
    """
    handle, name = tempfile.mkstemp(suffix=suffix, prefix="payferry-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        _run([*_editor(), name])
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        cannot("the edited text is no UTF-8; nothing was changed")
    finally:
        Path(name).unlink(missing_ok=True)


def _editor() -> list[str]:
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or _USUAL)


def _run(command: list[str]) -> None:
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        cannot(f"cannot start the editor {command[0]}: {error.strerror}; set EDITOR, or use --set or --file")
    if code:
        cannot(f"the editor {command[0]} ended with {code}; nothing was changed")
