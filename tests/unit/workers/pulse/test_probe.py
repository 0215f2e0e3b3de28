"""The probe of a process, asked over HTTP as Kubernetes and compose do."""

import multiprocessing
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from payments.failures import ConfigurationError
from workers.cli.main import app
from workers.embedded.port import free_port
from workers.pulse.ask import ask
from workers.pulse.probe import Probe
from workers.pulse.pulse import DATABASE_AWAY, Notes, Pulse
from workers.pulse.sign import Sign

SIGN = Sign(name="relay@box", role="relay", host="box", pid=1, version="1", started_at=0.0)


class Process:
    """A process with a probe, whose state a test changes."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.pulse = Pulse(SIGN, patience_seconds=60.0, report=lambda: self.notes)
        self.probe = Probe("127.0.0.1", 0, self.pulse, lambda: b"payferry_works_total 3.0\n")

    def get(self, path: str) -> tuple[int, str]:
        answer = httpx.get(f"http://127.0.0.1:{self.probe.port}{path}", trust_env=False)
        return answer.status_code, answer.text.strip()


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.probe.close()


def test_a_process_is_alive_before_it_is_ready(process: Process) -> None:
    assert process.get("/livez") == (200, "alive")
    assert process.get("/readyz") == (503, "it is still starting")
    process.pulse.is_ready = True
    assert process.get("/readyz") == (200, "ready")


def test_a_server_that_is_away_makes_it_unready_and_does_not_have_it_killed(process: Process) -> None:
    process.pulse.is_ready = True
    process.notes = Notes(troubles=[DATABASE_AWAY, "high-water mark"])
    assert process.get("/livez") == (200, "alive")
    assert process.get("/readyz") == (503, DATABASE_AWAY)


def test_a_probe_begins_without_asking_any_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(name: str) -> str:
        raise AssertionError(name)

    monkeypatch.setattr(socket, "getfqdn", hang)
    process = Process()
    assert process.get("/livez") == (200, "alive")
    process.probe.close()


def test_what_is_stuck_is_neither_alive_nor_ready_and_says_why(process: Process) -> None:
    process.pulse.is_ready = True
    process.notes = Notes(stuck="messages wait")
    assert process.get("/livez") == (503, "messages wait")
    assert process.get("/readyz") == (503, "messages wait")


def test_metrics_are_whatever_the_process_tells(process: Process) -> None:
    assert process.get("/metrics?x=1") == (200, "payferry_works_total 3.0")


def test_another_path_is_not_found(process: Process) -> None:
    assert process.get("/health")[0] == 404


def test_a_port_that_is_taken_ends_the_process_with_the_names_of_the_settings(process: Process) -> None:
    with pytest.raises(ConfigurationError, match="PROBE_ADDRESS, PROBE_PORT: cannot listen on"):
        Probe("127.0.0.1", process.probe.port, process.pulse, bytes)


def test_a_child_that_is_forked_later_does_not_keep_the_port(process: Process) -> None:
    forking = multiprocessing.get_context("fork")
    may_end = forking.Event()
    child = forking.Process(target=may_end.wait, daemon=True)
    child.start()
    port = process.probe.port
    process.probe.close()
    try:
        Probe("127.0.0.1", port, process.pulse, bytes).close()
    finally:
        may_end.set()
        child.join()


def test_the_check_of_a_container_exits_as_the_process_fares(process: Process) -> None:
    command = [sys.executable, "-m", "workers.pulse.ask", "live", str(process.probe.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (0, "alive\n")
    process.notes = Notes(stuck="messages wait")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (1, "messages wait\n")


def test_the_check_of_a_container_loads_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, workers.pulse.ask; print(sorted({n.partition('.')[0] for n in sys.modules} & {'redis', 'typer'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == "[]\n"


def test_where_nobody_listens_nobody_is_alive() -> None:
    is_well, words = ask("live", free_port())
    assert not is_well
    assert words.startswith("no answer at 127.0.0.1:")


def test_payferry_probe_prints_the_answer_and_exits_by_it(process: Process) -> None:
    port = str(process.probe.port)
    done = CliRunner().invoke(app, ["probe", "--port", port])
    assert (done.exit_code, done.stdout) == (0, "alive\n")
    done = CliRunner().invoke(app, ["probe", "ready", "--port", port])
    assert (done.exit_code, done.stdout) == (1, "it is still starting\n")


def test_payferry_probe_without_a_port_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROBE_PORT", raising=False)
    done = CliRunner().invoke(app, ["probe"])
    assert done.exit_code == 2
    assert "PROBE_PORT" in done.stderr
