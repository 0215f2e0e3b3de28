"""Run a command beside a real Kafka: `python -m tests.kafka_cluster --brokers 3 -- pytest …`.

The command finds the cluster in KAFKA_BOOTSTRAP_SERVERS, and its exit code is ours. With `--kill-after`, the last
broker is killed that many seconds into the run, and comes back.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kafka_cluster import DEFAULT_CACHE, JarsMissingError, KafkaCluster
from workers.embedded.child import ServerNotReadyError
from workers.embedded.tether import tethered

_AWAY_SECONDS = 5.0  # longer than the brokers' session timeout, so that the partitions get other leaders
_CANNOT_RUN = 2


def main(arguments: Sequence[str]) -> int:
    """Start the cluster, run the command, end the cluster; return the exit code."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="payferry-kafka-", ignore_cleanup_errors=True) as directory:
        try:
            cluster = KafkaCluster(given.directory or Path(directory), given.brokers, cache=given.cache)
            with cluster:
                return _run(given.command, cluster, given.brokers, given.kill_after)
        except (JarsMissingError, ServerNotReadyError) as error:
            print(error, file=sys.stderr)  # noqa: T201  # the message is this program's output
            return _CANNOT_RUN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.kafka_cluster", description="Run a command beside a real Kafka.")
    parser.add_argument("--brokers", type=int, choices=(1, 2, 3), default=1)
    parser.add_argument("--kill-after", type=float, metavar="SECONDS", help="kill the last broker, which then returns")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where the jars are kept")
    parser.add_argument("--directory", type=Path, help="where data and logs go, and stay; a temporary one if not given")
    parser.add_argument("command", nargs="+")
    return parser


def _run(command: Sequence[str], cluster: KafkaCluster, last: int, kill_after_seconds: float | None) -> int:
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers}
    running = subprocess.Popen(tethered(command), env=environment)
    try:
        if kill_after_seconds is not None and _outlasts(running, kill_after_seconds):
            cluster.kill(last)
            _outlasts(running, _AWAY_SECONDS)
            cluster.restart(last)
        return running.wait()
    finally:
        running.terminate()
        running.wait()


def _outlasts(running: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait that long, unless the command ends before; say whether it is still running."""
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
