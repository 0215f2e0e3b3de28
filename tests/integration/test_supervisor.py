import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # psutil ships no types
import pytest

from workers.supervisor.output import FolderOutput
from workers.supervisor.spec import ProcessSpec, RestartPolicy
from workers.supervisor.supervisor import ProcessFailedError, Supervisor

PROJECT = Path(__file__).parents[2]
QUICK = RestartPolicy(first_delay_seconds=0.01, longest_delay_seconds=0.05, quick_deaths=4)

# a main process with a pool of two, like a Celery worker's; it says who they are and waits
TREE = """
import os, subprocess, sys
pool = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
print("family", os.getpid(), *(each.pid for each in pool), flush=True)
for each in pool:
    each.wait()
"""

STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"

TIDY = """
import signal, sys
def end(*_):
    print("tidied up", flush=True)
    sys.exit(0)
signal.signal(15, end)
print("up", flush=True)
while True:
    signal.pause()
"""

SUPERVISE = """
import sys
from pathlib import Path
from workers.supervisor.output import FolderOutput
from workers.supervisor.procfile import read_procfile
from workers.supervisor.stop_signals import StopSignals
from workers.supervisor.supervisor import Supervisor
specs = read_procfile(Path(sys.argv[1]).read_text())
supervisor = Supervisor(specs, FolderOutput(Path(sys.argv[2])))
with StopSignals(supervisor), supervisor:
    supervisor.wait_ready(10)
    print("ready", flush=True)
    supervisor.wait()
    supervisor.stop(grace_seconds=30)
"""


def _eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)  # between two looks


def _gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Logs:
    """What the processes wrote, from their files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, label: str) -> str:
        file = self.folder / f"{label}.log"
        return file.read_text() if file.exists() else ""

    def wait_for(self, label: str, text: str) -> None:
        _eventually(lambda: text in self.text(label))

    def family(self, label: str) -> list[int]:
        """The process ids that a TREE wrote last."""
        self.wait_for(label, "family")
        line = [line for line in self.text(label).splitlines() if line.startswith("family")][-1]
        return [int(word) for word in line.split()[1:]]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs")


@pytest.fixture
def supervise(logs: Logs) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def _supervise(*specs: ProcessSpec) -> Supervisor:
        made.append(Supervisor(specs, FolderOutput(logs.folder)))
        made[-1].start()
        return made[-1]

    yield _supervise
    for supervisor in made:
        supervisor.stop(grace_seconds=0.2)


def _python(name: str, script: str, *, instances: int = 1, restart: RestartPolicy = QUICK) -> ProcessSpec:
    return ProcessSpec(name=name, command=[sys.executable, "-c", script], instances=instances, restart=restart)


def test_a_process_killed_with_sigkill_comes_back_and_the_others_stay(
    supervise: Callable[..., Supervisor], logs: Logs
) -> None:
    supervisor = supervise(_python("worker", TIDY), _python("relay", TIDY))
    (worker,), (relay,) = supervisor.pids("worker"), supervisor.pids("relay")
    supervisor.kill("worker")
    _eventually(lambda: supervisor.pids("worker") not in ([], [worker]))
    assert supervisor.pids("relay") == [relay]
    logs.wait_for("supervisor", "worker: ended by SIGKILL, starting it again in 0.01 s")


def test_the_pool_of_a_killed_main_process_is_killed_too(supervise: Callable[..., Supervisor], logs: Logs) -> None:
    supervisor = supervise(_python("worker", TREE))
    family = logs.family("worker")
    supervisor.kill("worker")
    _eventually(lambda: all(_gone(pid) for pid in family))
    _eventually(lambda: logs.family("worker") != family)


def test_nothing_is_left_after_a_stop(supervise: Callable[..., Supervisor], logs: Logs) -> None:
    supervisor = supervise(_python("worker", TREE), _python("monitor", STUBBORN), _python("beat", TIDY))
    logs.wait_for("monitor", "deaf")
    logs.wait_for("beat", "up")
    family = [*logs.family("worker"), *supervisor.pids("monitor"), *supervisor.pids("beat")]
    supervisor.stop(grace_seconds=0.3)
    assert [pid for pid in family if not _gone(pid)] == []
    assert "tidied up" in logs.text("beat")


def test_a_descendant_that_left_for_a_session_of_its_own_is_found(
    supervise: Callable[..., Supervisor], logs: Logs
) -> None:
    script = TREE.replace('["sleep", "600"]', '["sleep", "600"], start_new_session=True')
    supervisor = supervise(_python("worker", script))
    family = logs.family("worker")
    supervisor.stop(grace_seconds=1)
    _eventually(lambda: all(_gone(pid) for pid in family))


def test_a_stop_tells_the_main_process_alone_so_that_its_pool_may_finish(
    supervise: Callable[..., Supervisor], logs: Logs
) -> None:
    script = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1); print('work finished', flush=True)"])
signal.signal(15, lambda *_: (child.wait(), sys.exit(0)))
print("up", flush=True)
signal.pause()
"""
    supervisor = supervise(_python("worker", script))
    logs.wait_for("worker", "up")
    supervisor.stop(grace_seconds=10)
    assert "work finished" in logs.text("worker")


def test_what_makes_work_stops_before_what_does_it(supervise: Callable[..., Supervisor], logs: Logs) -> None:
    said = logs.folder / "order"
    script = TIDY.replace('print("tidied up", flush=True)', f"open({str(said)!r}, 'a').write(NAME)")
    specs = [_python(name, f"NAME = {name + ' '!r}\n{script}") for name in ("flower", "worker", "api", "bridge")]
    supervisor = supervise(*specs)
    for spec in specs:
        logs.wait_for(spec.name, "up")
    supervisor.stop()
    assert said.read_text().split() == ["bridge", "worker", "api", "flower"]


def test_several_instances_are_told_apart(supervise: Callable[..., Supervisor], logs: Logs) -> None:
    supervisor = supervise(_python("worker", f"import os; print(os.environ['PROCESS_NAME'])\n{TIDY}", instances=3))
    for number in (1, 2, 3):
        logs.wait_for(f"worker.{number}", f"worker.{number}\nup")
    assert len(set(supervisor.pids("worker"))) == 3


def test_a_process_that_ends_at_once_again_and_again_is_given_up_on_with_its_last_lines(
    supervise: Callable[..., Supervisor],
) -> None:
    supervisor = supervise(_python("worker", "import sys; print('no broker'); sys.exit(3)"), _python("relay", TIDY))
    with pytest.raises(ProcessFailedError, match=r"(?s)worker ended with code 3 again and again.*worker \| no broker"):
        supervisor.wait()


def test_a_program_that_does_not_exist_is_given_up_on_and_named(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(ProcessSpec(name="worker", command=["no-such-program-here"], restart=QUICK))
    with pytest.raises(ProcessFailedError, match="cannot run no-such-program-here"):
        supervisor.wait()


def test_programs_beside_our_interpreter_are_found_without_an_active_environment(
    supervise: Callable[..., Supervisor], logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    supervise(ProcessSpec(name="worker", command=["celery", "--version"], restart=QUICK))
    _eventually(lambda: "5." in logs.text("worker"))


def test_readiness_is_waited_for(supervise: Callable[..., Supervisor], logs: Logs) -> None:
    spec = _python("worker", TIDY)
    up = ProcessSpec(name=spec.name, command=spec.command, ready=lambda: "up" in logs.text("worker"))
    assert supervise(up).wait_ready(10)


def test_what_is_not_ready_at_the_deadline_is_named_with_its_last_lines(
    supervise: Callable[..., Supervisor], logs: Logs
) -> None:
    spec = _python("worker", TIDY)
    supervisor = supervise(ProcessSpec(name=spec.name, command=spec.command, ready=lambda: False), _python("a", TIDY))
    logs.wait_for("worker", "up")
    with pytest.raises(ProcessFailedError, match=r"not ready after 0\.1 s: worker\. Last lines:\n  worker \| up"):
        supervisor.wait_ready(0.1)


def test_a_stop_asked_for_while_waiting_ends_the_wait(supervise: Callable[..., Supervisor]) -> None:
    spec = _python("worker", TIDY)
    supervisor = supervise(ProcessSpec(name=spec.name, command=spec.command, ready=lambda: False))
    supervisor.request_stop()
    assert supervisor.wait_ready(60) is False


@pytest.fixture
def start(tmp_path: Path, logs: Logs) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a supervisor in a process of its own, on a Procfile."""
    started: list[subprocess.Popen[str]] = []

    def _start(script: str) -> subprocess.Popen[str]:
        program, procfile = tmp_path / "program.py", tmp_path / "Procfile"
        program.write_text(script)
        procfile.write_text(f"worker: {sys.executable} {program}\n")
        command = [sys.executable, "-c", SUPERVISE, str(procfile), str(logs.folder)]
        started.append(subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True))
        stdout = started[-1].stdout
        assert stdout is not None
        assert stdout.readline() == "ready\n"
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_supervisor_killed_with_sigkill_leaves_no_process(
    start: Callable[[str], subprocess.Popen[str]], logs: Logs
) -> None:
    supervisor = start(f"{TREE.replace('import os', 'import signal; signal.signal(15, signal.SIG_IGN); import os')}")
    family = [*logs.family("worker"), *(child.pid for child in psutil.Process(supervisor.pid).children())]
    supervisor.kill()
    _eventually(lambda: all(_gone(pid) for pid in family), seconds=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_supervisor_is_a_clean_stop(
    start: Callable[[str], subprocess.Popen[str]], logs: Logs, number: signal.Signals
) -> None:
    supervisor = start(TIDY)
    logs.wait_for("worker", "up")
    supervisor.send_signal(number)
    assert supervisor.wait(10) == 0
    assert "tidied up" in logs.text("worker")


def test_a_second_signal_hurries_the_stop(start: Callable[[str], subprocess.Popen[str]], logs: Logs) -> None:
    supervisor = start(STUBBORN)
    logs.wait_for("worker", "deaf")
    family = [child.pid for child in psutil.Process(supervisor.pid).children(recursive=True)]
    supervisor.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.wait(0.5)  # the first one alone would wait out the grace of 30 s
    os.kill(supervisor.pid, signal.SIGINT)
    assert supervisor.wait(5) == 0
    assert all(_gone(pid) for pid in family)
