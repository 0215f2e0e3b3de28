"""A process that outlives the supervisor by a few seconds, to end what it left behind.

The supervisor tells it the process groups that it runs. When the supervisor goes, however it goes, the pipe between
them closes: what is left of the groups is told to end, and killed after a grace. Being tied to the supervisor by
PDEATHSIG ends only the main processes; this also reaches theirs, such as the pool of a Celery worker.
This file is also run as a script by an isolated interpreter, so it imports the standard library alone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from threading import Lock

GRACE_SECONDS = 3.0
_POLL_SECONDS = 0.05


class Guardian:
    """The supervisor's end of the pipe."""

    def __init__(self) -> None:
        self._telling = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # signals meant for the supervisor's group pass it by
        )

    @property
    def pid(self) -> int:
        """The process id of the guardian."""
        return self._process.pid

    def watch(self, group: int) -> None:
        """End this process group when the supervisor goes."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """Watch the group no more: it has ended, and its number may come to mean another."""
        self._tell(f"-{group}")

    def close(self) -> None:
        """Let the guardian go; it first ends the groups that it still watches."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        with self._telling, suppress(BrokenPipeError):  # a dead guardian is no reason to end what it guards
            self._process.stdin.write(f"{word}\n".encode())
            self._process.stdin.flush()


def main() -> None:
    """Follow the pipe to its end, then end what is still watched."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _end(_followed(sys.stdin))


def _followed(words: Iterable[str]) -> set[int]:
    groups: set[int] = set()
    for word in words:
        group = int(word[1:])
        if word.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def _end(groups: set[int]) -> None:
    """Tell the leaders to end; when all have, or after the grace, kill what is left of their groups."""
    for group in groups:
        with suppress(ProcessLookupError):
            os.kill(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_alive(group) for group in groups):
        time.sleep(_POLL_SECONDS)
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
