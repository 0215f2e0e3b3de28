"""Keeping one process up."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from workers.embedded.tether import tethered
from workers.supervisor.backoff import RestartBackoff
from workers.supervisor.guardian import Guardian
from workers.supervisor.output import LastLines
from workers.supervisor.spec import ProcessSpec

_LONGEST_LINE_BYTES = 64 * 1024  # a longer one is cut in pieces, so that it cannot fill the memory
_LAST_OUTPUT_SECONDS = 1.0  # for what is left in the pipe of a process that has ended
_COULD_NOT_START = 127  # as a shell says it


class Keeper(threading.Thread):
    """A thread that starts one instance of a process, and starts it again whenever it ends.

    The process leads a session and group of its own. When it ends, however it ends, the rest of its group is killed:
    a Celery worker that was killed leaves no pool behind. The kernel ties the process to this very thread.
    """

    def __init__(self, spec: ProcessSpec, instance: int, *, output: LastLines, guardian: Guardian) -> None:
        super().__init__(name=f"keeper of {spec.label(instance)}", daemon=True)
        self.spec = spec
        self.label = spec.label(instance)
        self.first_started = threading.Event()
        self.gave_up_with: int | None = None
        """The last exit code, once the process ended too often."""

        self._instance = instance
        self._output = output
        self._guardian = guardian
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        process = self._process
        return process.pid if process is not None else None

    def run(self) -> None:
        """Keep the process up until `request_stop`, or until it ended too often."""
        backoff = RestartBackoff(self.spec.restart)
        while not self._stopping.is_set():
            born = time.monotonic()
            code = self._live()
            if self._stopping.is_set():
                break
            delay_seconds = backoff.after(time.monotonic() - born)
            if delay_seconds is None:
                self._output.note(self.label, f"{ending(code)}, too often in a row: giving up")
                self.gave_up_with = code
                break
            self._output.note(self.label, f"{ending(code)}, starting it again in {delay_seconds:g} s")
            self._stopping.wait(delay_seconds)

    def request_stop(self) -> None:
        """Tell the process to end, and do not start it again.

        The signal goes to the main process alone: sent to the group, it would cut down the pool of a Celery worker
        in the middle of the payments that the worker means to finish.
        """
        with self._changing:
            self._stopping.set()
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the main process, if it is up."""
        process = self._process
        if process is not None:
            process.send_signal(number)

    def kill_group(self) -> None:
        """Kill the process and its group."""
        process = self._process
        if process is not None:
            _kill_group(process.pid)

    def family(self) -> list[psutil.Process]:
        """Return the process and its descendants as they are now, those that left the group included."""
        pid = self.pid
        if pid is None:
            return []
        try:
            main = psutil.Process(pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _live(self) -> int:
        """Run the process from start to end and return its code."""
        try:
            process = self._spawn()
        except (OSError, ValueError) as error:
            self._output.line(self.label, f"cannot start: {error}")
            return _COULD_NOT_START
        finally:
            self.first_started.set()
        return self._follow(process) if process is not None else 0

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """Start the process, unless it should stop by now."""
        environment = self.spec.environment(self._instance, _inherited())
        command = tethered(self.spec.arguments(environment))
        with self._changing:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._guardian.watch(self._process.pid)
            return self._process

    def _follow(self, process: subprocess.Popen[bytes]) -> int:
        """Take the output until the process ends, then clear away the rest of its group."""
        assert process.stdout is not None
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        code = process.wait()
        _kill_group(process.pid)
        self._guardian.forget(process.pid)
        self._process = None
        reader.join(_LAST_OUTPUT_SECONDS)
        return code

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in iter(lambda: pipe.readline(_LONGEST_LINE_BYTES), b""):
                self._output.line(self.label, line.decode(errors="replace").rstrip("\r\n"))


def ending(code: int) -> str:
    """Say in words how a process ended, from its exit code or its negated signal."""
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _inherited() -> dict[str, str]:
    """Return our own environment, to hand down, with the programs beside our interpreter found first."""
    ours = dict(os.environ)
    beside = str(Path(sys.executable).parent)
    return ours | {"PATH": os.pathsep.join([beside, ours.get("PATH", os.defpath)])}


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
