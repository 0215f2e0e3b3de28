"""One broker, which is a controller too."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workers.embedded.child import ServerChild, ServerNotReadyError
from workers.embedded.port import LOOPBACK, answers

_READY_SECONDS = 90  # three JVMs coming up together on two busy cores
_FORMAT_SECONDS = 90
_HINT = "Look in the log for the first ERROR. The brokers need Java 17 or later and about 400 MB of memory each."


@dataclass(frozen=True)
class Node:
    """A broker's number, from 1, and its ports on loopback."""

    number: int
    broker_port: int
    controller_port: int

    @property
    def address(self) -> str:
        """Where clients connect, as `host:port`."""
        return f"{LOOPBACK}:{self.broker_port}"

    @property
    def voter(self) -> str:
        """The node as a member of the controllers' quorum."""
        return f"{self.number}@{LOOPBACK}:{self.controller_port}"


class Broker:
    """A Java process with a folder of its own; it may be killed and started again on what it holds."""

    def __init__(self, node: Node, properties: dict[str, str], *, folder: Path, jars: Path) -> None:
        self.node = node
        self._properties = properties | {"log.dirs": str(folder / "data")}
        self._folder = folder
        self._jars = jars
        self._child = ServerChild(f"Kafka broker {node.number}", folder / "broker.log", death_signal=signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._child.running

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def format(self, cluster_id: str) -> None:
        """Write the settings and make the data folder."""
        self._folder.mkdir(parents=True)
        lines = [f"{name}={value}\n" for name, value in self._properties.items()]
        self._settings.write_text("".join(lines))
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._settings))
        with self._child.log.open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, check=False, timeout=_FORMAT_SECONDS)
        if done.returncode != 0:
            raise ServerNotReadyError.of("formatting failed", command=command, log=self._child.log, hint=_HINT)

    def start(self) -> None:
        """Start the process; returns at once."""
        self._child.start(self._java("kafka.Kafka", str(self._settings)), cwd=self._folder)

    def wait_ready(self) -> None:
        """Wait until it accepts connections; raises ServerNotReadyError."""
        self._child.wait_ready(lambda: answers(self.node.broker_port), deadline_seconds=_READY_SECONDS, hint=_HINT)

    def stop(self, grace_seconds: float = 20) -> None:
        """Let it hand over its partitions and go."""
        self._child.stop((signal.SIGTERM, grace_seconds))

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._child.kill()

    @property
    def _settings(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, *arguments: str) -> list[str]:
        """Return a command line that starts fast and stays small, rather than one that runs fast."""
        machine = ["-Xms128m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logging = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"]
        return ["java", *machine, *logging, "-cp", f"{self._jars}/*", *arguments]
