"""What every embedded server can do: come up, say where it is, and go."""

import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from workers.embedded.child import ServerChild, ServerNotReadyError
from workers.embedded.port import LOOPBACK, free_port


class Server(ABC):
    """A server on loopback, run as a child process that dies with the thread that started it (see `tether`).

    `directory` holds its data and its log and is kept; without one, a temporary directory is made at `start` and
    removed by `stop`. Without `port`, a free one is taken at the first start.
    """

    name: ClassVar[str]
    hint: ClassVar[str]
    ready_seconds: ClassVar[float] = 30
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 10),)

    def __init__(self, directory: Path | None = None, *, port: int | None = None) -> None:
        self._given_directory = directory
        self._given_port = port
        self._directory: Path | None = directory
        self._port: int | None = port
        self._child: ServerChild | None = None

    @property
    def directory(self) -> Path:
        """Where data and log are."""
        if self._directory is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._directory

    @property
    def log(self) -> Path:
        """The file that takes the server's output."""
        return self.directory / f"{self.name.lower()}.log"

    @property
    def port(self) -> int:
        """The TCP port on loopback."""
        if self._port is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._port

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the server's main process."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the server's main process is alive."""
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Bring the server up and wait until it answers; raises ServerNotReadyError. Does nothing when it runs."""
        if self.running:
            return
        self._make_directory()
        self.prepare()
        try:
            self._launch()
        except ServerNotReadyError:
            if self._given_port is not None:
                raise
            self._port = None  # once more: another process may have taken the port that we found free
            self._launch()

    def stop(self) -> None:
        """Bring the server down in good order, by force after a deadline. Does nothing when it is down."""
        if self._child is not None:
            self._child.stop(*self.stop_steps)
        if self._given_directory is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would. `start` brings it back on its data."""
        self._started().kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line of the server at `self.port`."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether the server does its work; never raises."""

    def prepare(self) -> None:  # noqa: B027  # most servers need nothing, so this is no abstract method
        """Do what must be done in the directory before the program runs."""

    def run(self, child: ServerChild) -> None:
        """Start the program as `child`."""
        child.start(self.command(), cwd=self.directory)

    def make_child(self) -> ServerChild:
        """Return the child that the program will run in."""
        return ServerChild(self.name, self.log, death_signal=self.death_signal)

    def _launch(self) -> None:
        self._port = self._port or free_port()
        self._child = self.make_child()
        self.run(self._child)
        try:
            self._child.wait_ready(self.is_ready, deadline_seconds=self.ready_seconds, hint=self.hint)
        except ServerNotReadyError:
            self._child.stop(*self.stop_steps)
            raise

    def _make_directory(self) -> None:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix=f"payferry-{self.name.lower()}-"))
        self._directory.mkdir(parents=True, exist_ok=True)

    def _started(self) -> ServerChild:
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child
