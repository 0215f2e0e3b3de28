"""What /health says of real processes when one is frozen, cut off or dead: within 15 s, and by name."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.commands import PROGRAM
from tests.acceptance.cut import Way
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Running
from tests.integration.kafka import eventually
from workers.embedded.port import free_port
from workers.supervisor.procfile import read_procfile

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]

SOON_SECONDS = 15.0
ROLES = ("bridge", "worker", "beat", "relay", "monitor")
HOST = socket.gethostname()
PROCFILE = Path(__file__).parents[2] / "Procfile"


class Fleet:
    """One process of each role, without a supervisor; only the bridge goes to PostgreSQL by a way that can be cut."""

    def __init__(self, harbour: Harbour, way: Way) -> None:
        self._port, self._probe_port = free_port(), free_port()
        self._harbour = harbour
        self._commands = {spec.name: spec.command for spec in read_procfile(PROCFILE.read_text())}
        self.probe = f"http://127.0.0.1:{self._probe_port}"
        self.env = harbour.env | {"MONITOR_PORT": str(self._port), "SANDBOX_URL": "http://127.0.0.1:9"}
        url = urlsplit(harbour.ledger.url)
        cut_off = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{way.port}")).geturl()
        self._own = {
            "bridge": {"DATABASE_URL": cut_off},
            "worker": {"PROBE_PORT": str(self._probe_port)},
        }
        self.processes: dict[str, Running] = {}

    def running(self, role: str) -> Running:
        """Return a process of that role that is yet to be started."""
        env = self.env | {"PROCESS_NAME": role} | self._own.get(role, {})
        command = [part.replace("$PROCESS_NAME", role) for part in self._commands[role]]
        beside = Path(PROGRAM).parent / command[0]
        return Running([str(beside), *command[1:]], env, self._harbour.folder, role)

    def send(self, role: str, number: signal.Signals) -> None:
        self.processes[role].process.send_signal(number)

    def health(self) -> tuple[int, Any]:
        answer = httpx.get(f"http://127.0.0.1:{self._port}/health", trust_env=False)
        return answer.status_code, answer.json()

    def becomes(self, is_so: Callable[[int, Any], bool], what: str, seconds: float = SOON_SECONDS) -> Any:  # noqa: ANN401
        """Wait until /health says so; return its answer."""
        eventually(lambda: self._answers() and is_so(*self.health()), what, seconds)
        return self.health()[1]

    def is_well(self, seconds: float = SOON_SECONDS) -> None:
        """Wait until there is nothing to find."""
        self.becomes(
            lambda code, told: (code, told["status"], told["findings"]) == (200, "healthy", []), "healthy", seconds
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def way(harbour: Harbour) -> Iterator[Way]:
    port = urlsplit(harbour.ledger.url).port
    assert port is not None
    with Way(port) as made:
        yield made


@pytest.fixture(scope="module")
def fleet(harbour: Harbour, way: Way) -> Iterator[Fleet]:
    made = Fleet(harbour, way)
    with ExitStack() as exits:
        for role in ROLES:
            made.processes[role] = exits.enter_context(made.running(role))
        made.is_well(60.0)
        yield made
        made.send("worker", signal.SIGCONT)


def causes(told: Any) -> dict[tuple[str, str], str]:  # noqa: ANN401 - JSON
    """Return why, by what was found and of what."""
    return {(each["what"], each["subject"]): each["cause"] for each in told["findings"]}


def test_a_worker_that_is_frozen_is_named_until_it_goes_on(fleet: Fleet) -> None:
    fleet.send("worker", signal.SIGSTOP)
    told = fleet.becomes(lambda code, _told: code == 503, "it is found")
    assert told["status"] == "unhealthy"
    assert f"worker@{HOST}: no sign of life" in causes(told)["role_down", "worker"]
    [process] = [each for each in told["processes"] if each["role"] == "worker"]
    assert process["life"] == "silent"
    fleet.send("worker", signal.SIGCONT)
    fleet.is_well()


def test_a_bridge_that_lost_postgresql_is_named_although_all_others_have_it(fleet: Fleet, way: Way) -> None:
    way.cut()
    finding = ("process_trouble", f"bridge@{HOST} database away")
    told = fleet.becomes(lambda _code, told: finding in causes(told), "it is found")
    assert told["status"] == "degraded"
    assert {"name": "postgresql", "up": True, "why": None} in told["dependencies"]
    way.mend()
    fleet.is_well(40.0)  # its breaker may have opened, for 30 s


def test_a_beat_that_is_dead_is_named_until_there_is_another(fleet: Fleet) -> None:
    fleet.send("beat", signal.SIGKILL)
    told = fleet.becomes(lambda code, _told: code == 503, "it is found")
    assert f"beat@{HOST}: no sign of life" in causes(told)["role_down", "beat"]
    with fleet.running("beat"):
        fleet.is_well()
    # told to end, it says so: then there is none, rather than a silent one
    told = fleet.becomes(lambda code, _told: code == 503, "it is missed")
    assert causes(told) == {("role_absent", "beat"): "no beat runs"}


def test_the_probe_of_a_worker_says_alive_and_not_that_it_is_frozen(fleet: Fleet) -> None:
    assert httpx.get(f"{fleet.probe}/livez", trust_env=False).text == "alive\n"
    assert httpx.get(f"{fleet.probe}/readyz", trust_env=False).text == "ready\n"
    fleet.send("worker", signal.SIGSTOP)
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{fleet.probe}/livez", trust_env=False, timeout=2)
    fleet.send("worker", signal.SIGCONT)
