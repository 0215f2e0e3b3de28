"""What the monitor answers over HTTP, from surveys made by hand."""

import asyncio
import re
from typing import Any

import httpx
import pytest

from payments.metrics.catalogue import CATALOGUE, Source
from payments.resilience.breaker_state import BreakerView
from tests.surveys import a_breaker, a_fleet, a_process, a_survey
from workers.monitor.app import build_app
from workers.monitor.survey import ResilienceSeen, Survey
from workers.monitor.verdict import VerdictPolicy
from workers.monitor.watch import Watch

POLICY = VerdictPolicy(required_roles=("bridge", "worker", "beat", "relay"))
EVERY_SECONDS = 3.0


class Monitor:
    """A monitor that sees what the test says, when it says so."""

    def __init__(self) -> None:
        self.survey = a_survey()
        self.now = 100.0
        self.watch = Watch(lambda: self.survey, POLICY, EVERY_SECONDS, lambda: self.now)
        self.watch.turn()
        self.app = build_app(self.watch, lambda *_name, **_fields: None)

    def sees(self, survey: Survey) -> None:
        self.survey = survey
        self.watch.turn()

    def get(self, path: str) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
                return await client.get(path)

        return asyncio.run(asked())

    def health(self) -> tuple[int, dict[str, Any]]:
        answer = self.get("/health")
        told: dict[str, Any] = answer.json()
        return answer.status_code, told

    def metrics(self) -> dict[str, float]:
        lines = (line.rpartition(" ") for line in self.get("/metrics").text.splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in lines}


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


def breakers(*views: BreakerView) -> ResilienceSeen:
    return ResilienceSeen(breakers=views, budgets_used={}, limits_per_second={}, limits_used={})


def test_health_is_200_while_payments_flow_and_503_once_they_do_not(monitor: Monitor) -> None:
    assert monitor.health()[0] == 200
    monitor.sees(a_survey(kafka=None))
    code, told = monitor.health()
    assert (code, told["status"]) == (200, "degraded")
    monitor.sees(a_survey(fleet=a_fleet(a_process("worker", seen_seconds=12.0))))
    code, told = monitor.health()
    assert (code, told["status"]) == (503, "unhealthy")
    [finding] = told["findings"]
    assert (finding["what"], finding["subject"], finding["severity"]) == ("role_down", "worker", "unhealthy")
    assert finding["since"] == "2026-01-05T11:59:48Z"


def test_health_shows_each_breaker_dependency_and_process(monitor: Monitor) -> None:
    bridge = a_process("bridge", troubles={"database away": 3.0}, numbers={"partitions": 4.0})
    view = a_breaker("stripe", "open", calls=9, failures=5)
    monitor.sees(a_survey(resilience=breakers(view), fleet=a_fleet(bridge), kafka=None, unread={"kafka": "no brokers"}))
    _, told = monitor.health()
    [breaker] = told["breakers"]
    assert (breaker["name"], breaker["state"], breaker["calls"], breaker["failures"]) == ("stripe", "open", 9, 5)
    assert {"name": "kafka", "up": False, "why": "no brokers"} in told["dependencies"]
    assert {"name": "postgresql", "up": True, "why": None} in told["dependencies"]
    [shown] = [each for each in told["processes"] if each["role"] == "bridge"]
    assert (shown["life"], shown["troubles"], shown["numbers"]) == (
        "alive",
        {"database away": 3.0},
        {"partitions": 4.0},
    )


def test_what_is_unknown_is_null_and_not_nothing(monitor: Monitor) -> None:
    monitor.sees(a_survey(fleet=None, resilience=None, unread={"fleet": "Redis: TimeoutError"}))
    _, told = monitor.health()
    assert (told["breakers"], told["processes"]) == (None, None)
    assert told["unread"] == {"fleet": "Redis: TimeoutError"}


def test_a_monitor_that_does_not_look_any_more_says_so_instead_of_what_it_saw(monitor: Monitor) -> None:
    monitor.now += EVERY_SECONDS + 9.0
    assert monitor.get("/livez").status_code == 200
    assert monitor.health()[0] == 200
    monitor.now += 2.0
    assert monitor.get("/livez").status_code == 503
    assert monitor.get("/readyz").status_code == 503
    assert monitor.get("/metrics").status_code == 503
    code, told = monitor.health()
    assert (code, [each["what"] for each in told["findings"]]) == (503, ["monitor_blind"])


def test_an_unknown_path_is_a_plain_404(monitor: Monitor) -> None:
    answer = monitor.get("/nope")
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-correlation-id"])


def test_a_part_that_could_not_be_read_has_no_metrics_and_its_server_is_down(monitor: Monitor) -> None:
    whole = monitor.metrics()
    monitor.sees(a_survey(ledger=None, ended=None, dead_letters=None))
    told = monitor.metrics()
    gone = {name.partition("{")[0] for name in whole.keys() - told.keys()}
    assert {"payferry_inbox_oldest_due_seconds", "payferry_events_ended_total", "payferry_dead_letters"} <= gone
    assert told['payferry_dependency_up{dependency="postgresql"}'] == 0
    assert told['payferry_dependency_up{dependency="redis"}'] == 1
    assert told['payferry_health{verdict="unhealthy"}'] == 1


def test_processes_are_counted_by_how_they_are(monitor: Monitor) -> None:
    lost = [a_process("worker", "worker.1@box", seen_seconds=60.0), a_process("worker", "worker.2@box", stuck="still")]
    monitor.sees(a_survey(fleet=a_fleet(*lost, a_process("worker", "worker.3@box"))))
    told = monitor.metrics()
    for state in ("alive", "stuck", "silent"):
        assert told[f'payferry_processes{{role="worker",state="{state}"}}'] == 1
        assert told[f'payferry_processes{{role="api",state="{state}"}}'] == 0


def test_every_metric_is_one_of_the_fleets_in_the_catalogue(monitor: Monitor) -> None:
    names = {name.partition("{")[0].removesuffix("_total") for name in monitor.metrics()}
    assert names <= {name for name, metric in CATALOGUE.items() if metric.source is Source.FLEET}
