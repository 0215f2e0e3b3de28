"""One server program as a child process: tied to us, in a session of its own, its output in a log file."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from workers.embedded.tether import tethered

_POLL_SECONDS = 0.02  # servers come up in 0.1 to 5 s, and a check costs under 1 ms
_TAIL_LINES = 15


class ServerNotReadyError(RuntimeError):
    """A server did not come up. The text says what was run, what its log ends with, and what to try."""

    @classmethod
    def of(cls, what: str, *, command: Sequence[str], log: Path, hint: str) -> "ServerNotReadyError":
        """Put the text together. `what` is a sentence without its full stop, `hint` says how to get on."""
        return cls(f"{what}.\nTried: {' '.join(command)}\nLog {log} ends with:\n{log_tail(log)}\n{hint}")


def log_tail(log: Path) -> str:
    """Return the last lines of a log file, marked as a quotation."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  | {line}" for line in lines[-_TAIL_LINES:]) or "  | (empty)"


class ServerChild:
    """A server's process. `command` runs from `start` until `stop`; it may be started again.

    With `account` it runs as that system account (we must be root). With `controlled`, its standard input and output
    are pipes (`stdin`, `stdout`) and only its standard error goes to the log.
    """

    def __init__(
        self, name: str, log: Path, *, account: str | None = None, death_signal: signal.Signals = signal.SIGTERM
    ) -> None:
        self.name = name
        self.log = log
        self._account = account
        self._death_signal = death_signal
        self._command: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._cleared = True

    @property
    def pid(self) -> int:
        """The process id, of the last process if it has ended."""
        return self.process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, running or ended; RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, command: Sequence[str], *, cwd: Path, controlled: bool = False) -> None:
        """Run the command in the folder `cwd`; returns at once."""
        self._command = list(command)
        pipe = subprocess.PIPE if controlled else None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(command, death_signal=self._death_signal, account=self._account),
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                cwd=cwd,
                start_new_session=True,  # Ctrl-C at the terminal is ours to handle, in our order
            )
        self._cleared = False

    def wait_ready(self, ready: Callable[[], bool], *, deadline_seconds: float, hint: str) -> None:
        """Return when `ready` says so; raise ServerNotReadyError when the process ends or the deadline passes."""
        deadline = time.monotonic() + deadline_seconds
        while not (self.running and ready()):
            if not self.running:
                raise self._not_ready(f"ended with code {self.process.returncode}", hint)
            if time.monotonic() > deadline:
                raise self._not_ready(f"was not ready after {deadline_seconds:g} s", hint)
            time.sleep(_POLL_SECONDS)

    def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Send each signal in turn, giving it that many seconds, until the process has ended; SIGKILL is the last."""
        for step, grace_seconds in steps:
            if not self.running:
                break
            self.process.send_signal(step)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """End the process and its group at once, as a crash would."""
        if self._cleared:  # the group's number may by now belong to somebody else
            return
        self._cleared = True
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _not_ready(self, what: str, hint: str) -> ServerNotReadyError:
        return ServerNotReadyError.of(f"{self.name} {what}", command=self._command, log=self.log, hint=hint)
