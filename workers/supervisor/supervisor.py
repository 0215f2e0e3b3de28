"""Running several processes side by side."""

import signal
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]  # psutil ships no types

from workers.supervisor.guardian import Guardian
from workers.supervisor.keeper import Keeper, ending
from workers.supervisor.output import LastLines, Output
from workers.supervisor.spec import ProcessSpec

STOP_ORDER: Sequence[Collection[str]] = (
    ("produce", "bridge", "beat"),  # what makes work
    ("worker", "relay"),  # what does it
    ("api", "monitor"),  # what shows it
)
"""Names of processes by turn of stopping. What is not named here stops last, such as Flower and the sandbox."""

_POLL_SECONDS = 0.1
_STRAY_SECONDS = 2.0  # for the kernel to clear away what was killed


class ProcessFailedError(RuntimeError):
    """A process ended too often, or was not ready in time. The text holds its last lines."""


class Supervisor:
    """Starts processes, starts again those that end, and ends them all, in order, leaving none behind.

    Use it as a context manager, or call `stop` at the end. `request_stop` and `hurry` may be called from any thread.
    """

    def __init__(
        self, processes: Sequence[ProcessSpec], output: Output, *, stop_order: Sequence[Collection[str]] = STOP_ORDER
    ) -> None:
        self._specs = tuple(processes)
        self._output = LastLines(output)
        self._stop_order = stop_order
        self._guardian: Guardian | None = None
        self._keepers: list[Keeper] = []
        self._stop_requested = threading.Event()
        self._hurried = threading.Event()

    def start(self) -> None:
        """Start every process; returns when each has been started, ready or not."""
        self._guardian = Guardian()
        self._keepers = [
            Keeper(spec, instance, output=self._output, guardian=self._guardian)
            for spec in self._specs
            for instance in range(1, spec.instances + 1)
        ]
        for keeper in self._keepers:
            keeper.start()
        for keeper in self._keepers:
            keeper.first_started.wait()

    def wait_ready(self, deadline_seconds: float) -> bool:
        """Return True once every `ready` has said so, False when asked to stop meanwhile.

        Raises ProcessFailedError at the deadline, or when a process ended too often.
        """
        deadline = time.monotonic() + deadline_seconds
        waiting = [spec for spec in self._specs if spec.ready is not None]
        while not self._stop_requested.is_set():
            self.check()
            waiting = [spec for spec in waiting if spec.ready is not None and not spec.ready()]
            if not waiting:
                return True
            if time.monotonic() > deadline:
                raise self._not_ready(waiting, deadline_seconds)
            self._stop_requested.wait(_POLL_SECONDS)
        return False

    def wait(self) -> None:
        """Return when asked to stop; raise ProcessFailedError when a process ended too often."""
        while not self._stop_requested.wait(_POLL_SECONDS):
            self.check()

    def check(self) -> None:
        """Raise ProcessFailedError when a process ended too often."""
        self._raise_if_given_up()

    def pids(self, name: str) -> list[int]:
        """Return the process ids of the instances of that name which are up."""
        return [keeper.pid for keeper in self._named(name) if keeper.pid is not None]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the main process of every instance of that name."""
        for keeper in self._named(name):
            keeper.send(number)

    def request_stop(self) -> None:
        """Let `wait` and `wait_ready` return."""
        self._stop_requested.set()

    def hurry(self) -> None:
        """Cut the graces of a stop short."""
        self._stop_requested.set()
        self._hurried.set()

    def stop(self, grace_seconds: float = 10) -> None:
        """End every process, turn by turn: SIGTERM, and after `grace_seconds` SIGKILL to its group."""
        self._stop_requested.set()
        families = [process for keeper in self._keepers for process in keeper.family()]
        for turn in self._turns():
            self._stop_turn(turn, grace_seconds)
        _kill_strays(families)
        self._keepers = []
        if self._guardian is not None:
            self._guardian.close()
            self._guardian = None
            self._output.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _named(self, name: str) -> list[Keeper]:
        return [keeper for keeper in self._keepers if keeper.spec.name == name]

    def _turns(self) -> list[list[Keeper]]:
        listed = {name for names in self._stop_order for name in names}
        turns = [[keeper for keeper in self._keepers if keeper.spec.name in names] for names in self._stop_order]
        return [*turns, [keeper for keeper in self._keepers if keeper.spec.name not in listed]]

    def _stop_turn(self, keepers: Sequence[Keeper], grace_seconds: float) -> None:
        for keeper in keepers:
            keeper.request_stop()
        deadline = time.monotonic() + grace_seconds
        while any(keeper.is_alive() for keeper in keepers) and time.monotonic() < deadline:
            if self._hurried.wait(_POLL_SECONDS / 2):
                break
        for keeper in keepers:
            if keeper.is_alive():
                keeper.kill_group()
        for keeper in keepers:
            keeper.join()

    def _raise_if_given_up(self) -> None:
        for keeper in self._keepers:
            if keeper.gave_up_with is not None:
                raise ProcessFailedError(
                    f"{keeper.label} {ending(keeper.gave_up_with)} again and again.\n"
                    f"Tried: {' '.join(keeper.spec.command)}\nIts last lines:\n{self._last_lines(keeper.label)}"
                )

    def _not_ready(self, specs: Sequence[ProcessSpec], deadline_seconds: float) -> ProcessFailedError:
        names = ", ".join(spec.name for spec in specs)
        lines = "\n".join(self._last_lines(spec.label(1)) for spec in specs)
        return ProcessFailedError(f"not ready after {deadline_seconds:g} s: {names}. Last lines:\n{lines}")

    def _last_lines(self, label: str) -> str:
        return "\n".join(f"  {label} | {line}" for line in self._output.of(label)) or f"  {label} | (nothing)"


def _kill_strays(families: Sequence[psutil.Process]) -> None:
    """Kill what left its group before we stopped, such as a process that made itself a daemon."""
    for process in families:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + _STRAY_SECONDS
    while any(_alive(process) for process in families) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS / 10)


def _alive(process: psutil.Process) -> bool:
    """Say whether it runs; one that has ended and waits for its new parent to notice does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
