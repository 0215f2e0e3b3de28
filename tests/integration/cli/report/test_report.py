"""`payferry report` on a real ledger and a real Redis, in its three forms."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import load_settings
from payments.event import Kind, Provider
from payments.failures import ConnectTimeout
from payments.flows.process import process
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.wiring import Wiring
from tests.builders import an_arrival, an_event
from tests.fake_gateway import FakeGateway
from tests.integration.flows.conftest import (  # noqa: F401 - fixtures
    MakeDesk,
    database_url,
    gateway,
    make_desk,
    queue,
    told,
)
from tests.unit.workers.cli.conftest import _untouched  # noqa: F401 - a fixture
from workers.cli.main import main

CANARIES = ("4242424242424242", "jo@example.com", "sk_live_canary51", "cvv 987", "cus_canary")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    database_url: str,  # noqa: F811 - the fixture
    redis_url: str,
    _untouched: None,  # noqa: F811 - it comes first
) -> Run:
    for name, value in (("DATABASE_URL", database_url), ("CELERY_BROKER_URL", redis_url), ("COLUMNS", "200")):
        monkeypatch.setenv(name, value)

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["payferry", "report", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return command


@pytest.fixture
def troubled(make_desk: MakeDesk, database: Database) -> None:  # noqa: F811 - the fixture
    """Leave a payment that went well at its second attempt, and one that waits for its own, both full of canaries."""
    slow = ConnectTimeout(
        "nobody picked up in time",
        service="stripe",
        operation="authorize",
        provider_message="card 4242424242424242 of jo@example.com",
    )
    personal: dict[str, Any] = {
        "customer_email": "jo@example.com",
        "customer_reference": "cus_canary",
        "metadata": {"card": "4242424242424242", "note": "cvv 987", "key": "sk_live_canary51"},
    }
    desk = make_desk(gateways=dict.fromkeys(Provider, FakeGateway(authorize=[slow, slow])))
    events = [an_event(f"evt_{name}", Kind.REQUESTED, name, **personal) for name in ("p1", "p2")]
    calls = Inbox(database).receive([an_arrival(event, place) for place, event in enumerate(events)])[1]
    for call in calls:
        process(desk, call.inbox_id)
    database.run("UPDATE inbox SET due_at = now() WHERE id = %(id)s", {"id": calls[0].inbox_id})
    process(desk, calls[0].inbox_id)


@pytest.mark.usefixtures("troubled")
def test_the_three_forms_tell_the_same(run: Run, tmp_path: Path) -> None:
    Wiring(load_settings()).switchboard.trip("paypal")
    code, out, _ = run("--json", "--since", "1h")
    report = json.loads(out.splitlines()[-1])  # before it stands what tripping has told the log
    assert code == 0
    assert report["totals"]["by_ending"]["settled"] == 1
    assert report["recovery"]["retries"]["success_rate"] == 0.5
    assert [(each["breaker"], each["openings"]) for each in report["breakers"]["breakers"]] == [("paypal", 1)]
    assert report["impact"]["customers"] == 1
    _, text, _ = run("--since", "1h")
    assert "connect_timeout   2        1             0            0      1            50.0 %" in text
    code, _, err = run("--html", str(tmp_path / "report.html"), "--since", "1h")
    html = (tmp_path / "report.html").read_text()
    assert (code, "done: write the report to" in err) == (0, True)
    assert '<data value="0.5" data-path="recovery.retries.success_rate">50.0 %</data>' in html


@pytest.mark.usefixtures("troubled")
def test_no_form_tells_anything_personal(run: Run, tmp_path: Path) -> None:
    forms = [run("--json")[1], run()[1]]
    run("--html", str(tmp_path / "report.html"))
    forms.append((tmp_path / "report.html").read_text())
    assert all("connect_timeout" in each or "connect timeout" in each for each in forms)
    assert [canary for canary in CANARIES for each in forms if canary in each] == []


@pytest.mark.usefixtures("troubled")
def test_without_redis_there_is_a_report_all_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    code, out, _ = run("--json")
    report = json.loads(out)
    assert (code, report["breakers"]) == (0, None)
    assert "Redis does not answer" in report["breakers_unknown"]
    assert report["errors"]["errors"] == 2
    assert "breakers: not known; Redis does not answer" in run()[1]


def test_a_window_is_written_as_a_moment_or_as_a_span(run: Run) -> None:
    _, out, _ = run("--json", "--since", "2026-01-05", "--until", "2026-01-06T12:30Z")
    report = json.loads(out)
    assert (report["since"], report["until"]) == ("2026-01-05T00:00:00Z", "2026-01-06T12:30:00Z")
    _, out, _ = run("--json", "--since", "3h", "--until", "1h")
    assert json.loads(out)["seconds"] == pytest.approx(7200, abs=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "never"), "--since 'never' is no date or time"),
        (("--since", "2h", "--until", "3h"), "is not before"),
        (("--until", "2026-13-01"), "--until '2026-13-01' is no date or time"),
        (("--since", "500d"), "366 days"),
        (("--json", "--html", "x"), "choose one"),
        (("--since", "99999d"), "--since '99999d' is longer than a hundred years"),
    ],
)
def test_a_wrong_use_ends_in_one_line(run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert re.fullmatch(r"payferry: .+\n", err)


def test_a_page_that_cannot_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--html", str(tmp_path / "nowhere" / "report.html"))
    assert code == 1
    assert err.endswith("cannot be written: No such file or directory\n")
