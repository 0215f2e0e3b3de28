"""A mock Kafka in a process of its own: librdkafka's mock cluster, for trying and testing, not for keeping anything.

    python -m workers.embedded.kafka_mock [--brokers 1] [--partitions 4] [--topic NAME]… [--ready-file FILE]

prints its bootstrap servers and serves until SIGTERM. See `mock_cluster` for its limits.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TextIO

from workers.embedded.child import ServerChild
from workers.embedded.mock_cluster import AUTOMATIC_PARTITIONS, MockCluster, MockClusterError
from workers.embedded.server import Server

_PROJECT = Path(__file__).parents[2]


class KafkaMockError(RuntimeError):
    """The mock refused what it was told."""


class KafkaMock(Server):
    """The mock cluster as a child process.

    The named `topics` have `partitions` partitions; any other topic appears on first use with 4, which cannot be
    changed. The port is always a free one, and another after each start.
    """

    name: ClassVar[str] = "Kafka-mock"
    hint: ClassVar[str] = "Set KAFKA_BOOTSTRAP_SERVERS to use a Kafka of your own."
    ready_seconds: ClassVar[float] = 20
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL  # it holds nothing that could be saved
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 3),)

    def __init__(
        self,
        directory: Path | None = None,
        *,
        brokers: int = 1,
        partitions: int = AUTOMATIC_PARTITIONS,
        topics: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        self._brokers = brokers
        self._partitions = partitions
        self._topics = tuple(topics)
        self._asking = threading.Lock()

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of every broker, comma separated."""
        return self._ready_file.read_text().strip()

    @property
    def address(self) -> str:
        """`host:port` of every broker, comma separated."""
        return self.bootstrap_servers

    @property
    def port(self) -> int:
        """The port of the first broker."""
        return int(self.bootstrap_servers.split(",")[0].rpartition(":")[2])

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic; KafkaMockError where it exists."""
        self._tell(f"topic {name} {partitions}")

    def set_topic_error(self, name: str, code: int) -> None:
        """Let the brokers say `code` of the topic (Kafka's protocol guide lists them), or 0 for nothing."""
        self._tell(f"error {name} {code}")

    def set_down(self, broker: int = 1) -> None:
        """Take a broker away, its records kept. Ids start at 1."""
        self._tell(f"down {broker}")

    def set_up(self, broker: int = 1) -> None:
        """Bring a broker back."""
        self._tell(f"up {broker}")

    def prepare(self) -> None:
        """Forget where an earlier cluster was."""
        self._ready_file.unlink(missing_ok=True)

    def command(self) -> list[str]:
        """Return the command line of the mock."""
        topics = [part for topic in self._topics for part in ("--topic", topic)]
        numbers = ["--brokers", str(self._brokers), "--partitions", str(self._partitions)]
        ready = ["--ready-file", str(self._ready_file.resolve()), "--controlled"]
        return [sys.executable, "-m", __name__, *numbers, *ready, *topics]

    def run(self, child: ServerChild) -> None:
        """Start the program as `child`, from the folder in which its module is found, with a pipe to tell it things."""
        child.start(self.command(), cwd=_PROJECT, controlled=True)

    def is_ready(self) -> bool:
        """Say whether it has written where it is."""
        return self._ready_file.exists()

    @property
    def _ready_file(self) -> Path:
        return self.directory / "bootstrap-servers"

    def _tell(self, order: str) -> None:
        process = self._started().process
        assert process.stdin is not None
        assert process.stdout is not None
        answer = ""
        with self._asking, suppress(BrokenPipeError, ValueError):  # either way of writing to one that has ended
            process.stdin.write(f"{order}\n".encode())
            process.stdin.flush()
            answer = process.stdout.readline().decode().strip()
        if answer != "ok":
            raise KafkaMockError(f"{order}: {answer or 'the mock has ended'}")


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or, with `--controlled`, until standard input ends."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cluster = MockCluster(given.brokers)
    for topic in given.topic:
        cluster.create_topic(topic, given.partitions)
    if given.ready_file:
        _write_whole(given.ready_file, cluster.bootstrap_servers)
    if given.controlled:
        _obey(cluster, sys.stdin, sys.stdout)
    else:
        print(cluster.bootstrap_servers, flush=True)  # noqa: T201  # the address is this program's output
        signal.pause()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serve a mock Kafka on loopback.")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=AUTOMATIC_PARTITIONS, help="of the named topics")
    parser.add_argument("--topic", action="append", default=[], help="a topic to make at once")
    parser.add_argument("--ready-file", type=Path, help="a file to write the bootstrap servers to")
    parser.add_argument("--controlled", action="store_true", help="take orders on standard input, and end with it")
    return parser


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all or nothing."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.rename(path)


def _obey(cluster: MockCluster, orders: TextIO, answers: TextIO) -> None:
    for order in orders:
        try:
            _carry_out(cluster, order.split())
            answer = "ok"
        except (MockClusterError, ValueError) as error:
            answer = str(error)
        answers.write(f"{answer}\n")
        answers.flush()


def _carry_out(cluster: MockCluster, words: list[str]) -> None:
    match words:
        case ["topic", name, partitions]:
            cluster.create_topic(name, int(partitions))
        case ["error", name, code]:
            cluster.set_topic_error(name, int(code))
        case ["down", broker]:
            cluster.set_down(int(broker))
        case ["up", broker]:
            cluster.set_up(int(broker))
        case _:
            raise ValueError(f"not an order: {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
