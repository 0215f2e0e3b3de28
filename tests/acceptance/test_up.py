"""`payferry up` comes up whole and leaves nothing behind, however it is ended."""

import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.running import Up, gone
from tests.integration.kafka import eventually
from workers.embedded.port import answers

LABELS = ("bridge", "worker", "beat", "relay", "api", "monitor")


def ports_of(up: Up) -> set[int]:
    """Return every port that it said it listens on."""
    told = up.output().partition("Payferry is up.")[2]
    return {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", told.split("| ")[0])}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("number", "code", "options"),
    [
        (signal.SIGTERM, 0, ()),
        (signal.SIGINT, 0, ("--no-flower",)),
        (signal.SIGKILL, -signal.SIGKILL, ("--no-flower",)),
    ],
    ids=["SIGTERM", "SIGINT", "SIGKILL"],
)
def test_up_leaves_no_process_and_no_port_behind(
    tmp_path: Path, number: signal.Signals, code: int, options: tuple[str, ...]
) -> None:
    with Up({}, tmp_path, *options) as up:
        family, ports = up.family(), ports_of(up)
        assert all(up.main(label) is not None for label in LABELS)
        assert len(ports) == (6 if options else 7), up.output()
        up.wait_for(lambda: all(answers(port) for port in ports), "all of them answer, Flower a little later")
        up.process.send_signal(number)
        assert up.process.wait(45) == code, up.output()[-3000:]
        eventually(lambda: all(gone(process) for process in family), "every process has ended", 15)
        assert not any(answers(port) for port in ports)


@pytest.mark.timeout(120)
def test_up_with_a_server_that_is_not_there_says_so_and_ends(tmp_path: Path) -> None:
    up = Up({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, tmp_path)
    with pytest.raises(AssertionError, match="PostgreSQL"), up:
        pass
    assert up.process.returncode == 1
