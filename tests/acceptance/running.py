"""Processes that run beside a test, and end with it."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil  # type: ignore[import-untyped]  # psutil ships no types

from tests.acceptance.commands import PROGRAM, environment
from tests.integration.kafka import eventually
from workers.embedded.port import free_port


class Running:
    """A command in a session of its own; its output goes to a file."""

    def __init__(self, command: list[str], env: Mapping[str, str], folder: Path, name: str) -> None:
        self._command = command
        self._env = environment(env)
        self._folder = folder
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, seconds: float = 60) -> int:
        """Send SIGTERM, and SIGKILL to the whole session if that is not heard; return the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()

    def output(self) -> str:
        """Return what it has written."""
        return self.log.read_text(errors="replace")

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 90) -> None:
        """Wait for the condition, for as long as the process lives."""
        eventually(lambda: condition() or self._ended(), what, seconds)
        assert condition(), f"ended before {what}:\n{self.output()[-3000:]}"

    def _ended(self) -> bool:
        return self.process.poll() is not None


class Up(Running):
    """`payferry up`."""

    def __init__(self, env: Mapping[str, str], folder: Path, *options: str) -> None:
        super().__init__([PROGRAM, "up", *options], env, folder, "up")

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.wait_for(lambda: "Payferry is up." in self.output(), "everything is ready")
        except BaseException:
            self.stop()
            raise
        return self

    def family(self) -> list[psutil.Process]:
        """Return every process that it has started, and theirs."""
        children: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return children

    def main(self, label: str) -> psutil.Process | None:
        """Return the main process of that name, or None while it is down."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if child.environ().get("PROCESS_NAME") == label and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        return None

    def kill(self, label: str) -> None:
        """Send SIGKILL to the main process of that name."""
        main = self.main(label)
        assert main is not None
        main.kill()

    def place(self, name: str) -> str:
        """Return where it said that a server is."""
        lines = [line.split() for line in self.output().splitlines() if line.startswith(f"  {name} ")]
        return lines[-1][1]


class Sandbox(Running):
    """`payferry sandbox`, with its effects in a file."""

    def __init__(self, folder: Path, *options: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.effects = folder / "effects.jsonl"
        command = [PROGRAM, "sandbox", "--port", str(port), "--effects", str(self.effects), *options]
        super().__init__(command, {}, folder, "sandbox")

    def __enter__(self) -> Self:
        super().__enter__()
        self.wait_for(self._answers, "the sandbox serves", 60)
        return self

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/sandbox/health", timeout=1).is_success
        except httpx.TransportError:
            return False


def gone(process: psutil.Process) -> bool:
    """Say whether a process has ended, whether or not its parent has noticed."""
    try:
        return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
