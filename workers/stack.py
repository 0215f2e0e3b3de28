"""Everything on one machine: embedded servers for what the environment does not name, and the Procfile's processes."""

import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from config.settings import Settings, SettingsError, load_settings
from payments.ledger.schema import migrate
from workers.embedded.kafka_mock import KafkaMock
from workers.embedded.port import free_port
from workers.embedded.postgres import Postgres
from workers.embedded.valkey import Valkey
from workers.readiness import is_ready
from workers.supervisor.output import Output
from workers.supervisor.procfile import read_procfile
from workers.supervisor.spec import ProcessSpec
from workers.supervisor.supervisor import Supervisor

_PROCFILE = Path(__file__).parents[1] / "Procfile"
_PARTITIONS = 12
_READY_SECONDS = 90.0
_SANDBOX = "sandbox"
_STRIPES_LIMIT = "PAYFERRY_POLICY__RATE_LIMITS__STRIPE__CALLS_PER_SECOND"
_OTHER_PLACES = ("STRIPE_BASE_URL", "RAZORPAY_BASE_URL", "PAYPAL_BASE_URL", "CANONICAL_BASE_URL")


class Stack:
    """A whole Payferry. Enter it to start: servers, tables, processes, each awaited; leave it to stop, with no orphan.

    Raises ServerNotReadyError or ProcessFailedError, with the last lines of what failed.
    """

    def __init__(
        self,
        output: Output,
        *,
        instances: Mapping[str, int],
        data: Path | None = None,
        latency_ms: int = 0,
        decline_rate: float = 0.0,
        own_servers: bool = False,
    ) -> None:
        """`own_servers`: whatever the environment names is left alone, and only embedded servers are used."""
        self._own_servers = own_servers
        self._output = output
        self._instances = instances
        self._data = data
        self._sandbox_options = ["--latency-ms", str(latency_ms), "--decline-rate", str(decline_rate)]
        self._exits = ExitStack()
        self.places: dict[str, str] = {}
        """Where each server and page is, by name."""
        self._environment: dict[str, str] = {}
        self._served: dict[str, str] = {}
        """What our own processes are told besides, and nobody else."""
        self.supervisor: Supervisor

    @property
    def settings(self) -> Settings:
        """The settings that the processes have."""
        return load_settings()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def exports(self) -> str:
        """Return the line that lets another terminal use the servers that were started here."""
        return "export " + " ".join(f"{name}={value}" for name, value in self._environment.items())

    def wait_ready(self) -> bool:
        """Return True once every process is ready, False when asked to stop meanwhile."""
        return self.supervisor.wait_ready(_READY_SECONDS)

    def _start(self) -> None:
        self._start_servers()
        os.environ.update(self._environment)
        load_settings.cache_clear()
        migrate(self.settings.database.url)
        self.supervisor = Supervisor(self._processes(), self._output)
        self._exits.enter_context(self.supervisor)

    def _start_servers(self) -> None:
        settings = load_settings()
        self._serve("PostgreSQL", settings.database.url, "DATABASE_URL", self._postgres)
        self._serve("Redis", settings.redis.url, "CELERY_BROKER_URL", self._valkey)
        self._serve("Kafka", settings.kafka.bootstrap_servers, "KAFKA_BOOTSTRAP_SERVERS", self._kafka)
        told = settings.gateway
        named = told.sandbox_url or told.stripe_base_url or told.razorpay_base_url or told.paypal_base_url
        self._serve("Providers", named or told.canonical_base_url, "SANDBOX_URL", self._sandbox_url)
        if "SANDBOX_URL" in self._environment and _STRIPES_LIMIT not in os.environ:
            self._environment[_STRIPES_LIMIT] = "0"  # the sandbox has none
        if self._own_servers:
            self._environment |= dict.fromkeys(_OTHER_PLACES, self._environment["SANDBOX_URL"])
            state_url = self._environment["CELERY_BROKER_URL"].removesuffix("/0") + "/1"
            self._environment |= {"KAFKA_SSL": "false", "PAYFERRY_STATE_REDIS_URL": state_url}
            if settings.kafka.sasl_mechanism:
                raise SettingsError("KAFKA_SASL_MECHANISM: unset it; the embedded Kafka has no login")
        self._api()
        self._monitor()

    def _serve(self, name: str, named: str, variable: str, start: Callable[[], str]) -> None:
        """Take the server that the environment names, or start our own and name it."""
        if named and not self._own_servers:
            self.places[name] = f"{_without_password(named)} (yours)"
        else:
            self.places[name] = self._environment[variable] = start()

    def _postgres(self) -> str:
        return self._exits.enter_context(Postgres(self._folder("postgres"))).url

    def _valkey(self) -> str:
        return self._exits.enter_context(Valkey(self._folder("valkey"))).url

    def _kafka(self) -> str:
        topic = load_settings().kafka.topic
        return self._exits.enter_context(KafkaMock(partitions=_PARTITIONS, topics=[topic])).bootstrap_servers

    def _sandbox_url(self) -> str:
        return f"http://127.0.0.1:{free_port()}"

    def _folder(self, name: str) -> Path | None:
        return self._data / name if self._data else None

    def _processes(self) -> list[ProcessSpec]:
        ready_dir = Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="payferry-ready-")))
        environment = self._environment | self._served | self._flower()
        environment |= {"PAYFERRY_READY_DIR": str(ready_dir), "PATH": _path(), "METRICS_DIR": self._metrics_dir()}
        environment |= {"PROBE_PORT": "0"}  # on one machine they would all want the same one
        ready = {
            name: partial(_all_ready, ready_dir, name, self._instances.get(name, 1))
            for name in ("bridge", "worker", "beat", "relay", "api", "monitor")
            if self._instances.get(name, 1)
        }
        if self._instances.get("flower", 1):
            ready["flower"] = partial(_listens, int(environment["FLOWER_PORT"]))
        processes = read_procfile(_PROCFILE.read_text(), env=environment, instances=self._instances, ready=ready)
        return [*self._sandbox(environment), *processes]

    def _metrics_dir(self) -> str:
        """Return the folder in which the monitor finds what the processes count."""
        return self.settings.metrics.folder or self._exits.enter_context(
            tempfile.TemporaryDirectory(prefix="payferry-metrics-")
        )

    def _api(self) -> None:
        """Choose the API's port and a token, where nobody has; another terminal gets them with the servers."""
        if not self._instances.get("api", 1):
            return
        told = self.settings.api
        port = told.port if "API_PORT" in os.environ else free_port()
        self._environment["PAYFERRY_API"] = f"127.0.0.1:{port}"
        self._served["API_PORT"] = str(port)
        if told.tokens is None and told.tokens_file is None:
            token = secrets.token_urlsafe(18)
            self._environment["PAYFERRY_API_TOKEN"] = token
            self._served["API_TOKENS"] = f"up:admin+email:{token}"
        self.places["gRPC"] = f"{told.host}:{port}"

    def _monitor(self) -> None:
        """Choose the monitor's port, where nobody has."""
        if not self._instances.get("monitor", 1):
            return
        told = self.settings.monitor
        port = told.port if "MONITOR_PORT" in os.environ else free_port()
        self._served["MONITOR_PORT"] = str(port)
        self.places["Monitor"] = f"http://{told.address}:{port}/health"

    def _flower(self) -> dict[str, str]:
        told = self.settings.flower
        port = told.port if "FLOWER_PORT" in os.environ else free_port()
        login = told.basic_auth.get_secret_value() if told.basic_auth else f"payferry:{secrets.token_urlsafe(9)}"
        if self._instances.get("flower", 1):
            user, _, password = login.split(",")[0].partition(":")
            shown = "yours" if told.basic_auth else password
            self.places["Flower"] = f"http://{told.address}:{port} (user {user}, password {shown})"
        return {"FLOWER_PORT": str(port), "FLOWER_BASIC_AUTH": login}

    def _sandbox(self, environment: Mapping[str, str]) -> list[ProcessSpec]:
        """Return the sandbox as a process, where no provider is named."""
        url = self._environment.get("SANDBOX_URL")
        if url is None:
            return []
        folder = self._data or Path(self._exits.enter_context(tempfile.TemporaryDirectory(prefix="payferry-sandbox-")))
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--effects", str(folder / "effects.jsonl"), *self._sandbox_options]
        command = ["payferry", _SANDBOX, "--port", url.rpartition(":")[2], *options]
        return [ProcessSpec(name=_SANDBOX, command=command, env=environment, ready=partial(_answers, url))]


def _all_ready(folder: Path, name: str, instances: int) -> bool:
    labels = [name] if instances == 1 else [f"{name}.{number}" for number in range(1, instances + 1)]
    return all(is_ready(folder, label) for label in labels)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/sandbox/health", timeout=1).is_success
    except httpx.TransportError:
        return False


def _path() -> str:
    """Return a PATH on which `payferry` and `celery` are those of this Python."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:***{at}{tail}" if at and ":" in head.partition("://")[2] else url
