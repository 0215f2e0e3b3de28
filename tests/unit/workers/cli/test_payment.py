"""`payferry payment` shows one payment with all that happened to it."""

import json
import sys
from pathlib import Path

import pytest

from payments.event import Kind
from payments.ledger.claims import Claims
from payments.ledger.database import Database
from payments.ledger.inbox import Inbox
from payments.ledger.settlements import Booking, Settlements
from payments.ledger.state import State
from payments.payment import Status
from tests.builders import NEWS, a_payment, an_arrival, an_event
from workers.cli.main import main


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["payferry", "payment", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out, said.err


@pytest.fixture(autouse=True)
def _ledger(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)


def test_a_payment_is_shown_with_its_events(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Inbox(database).receive([an_arrival(an_event("evt_1", Kind.REQUESTED))])
    code, out, _ = run(monkeypatch, capfd, "stripe:p1", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["payment"] is None
    assert [(event["event_id"], event["state"], event["saga"]) for event in told["events"]] == [
        ("evt_1", "received", [])
    ]
    assert told["stale"] is False


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_of_the_customers_email_the_masked_form_is_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], form: tuple[str, ...]
) -> None:
    [call] = Inbox(database).receive([an_arrival(an_event(customer_reference="cus_1", customer_email="jo@shop.de"))])[1]
    claim = Claims(database).take(call.inbox_id, 60.0)
    assert claim is not None
    payment = a_payment(Status.COMPLETED, customer_reference="cus_1", customer_email="jo@shop.de")
    Settlements(database).book(claim, State.SETTLED, Booking(payment, ()), NEWS)
    code, out, err = run(monkeypatch, capfd, "stripe:p1", *form)
    assert code == 0
    assert "cus_1" in out
    assert "j***@***.de" in out
    assert "shop.de" not in out + err


def test_a_payment_that_nobody_has_heard_of_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capfd, "stripe:nobody")
    assert code == 1
    assert "nobody has heard of it" in out


def test_a_name_without_its_provider_is_refused_with_the_right_form(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(monkeypatch, capfd, "pi_123")
    assert code == 2
    assert "provider:id" in err


def test_the_answer_goes_to_a_file_where_one_is_named(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Inbox(database).receive([an_arrival(an_event("evt_1", Kind.REQUESTED))])
    file = tmp_path / "payment.json"
    code, out, _ = run(monkeypatch, capfd, "stripe:p1", "--output", str(file))
    assert (code, out) == (0, "")
    assert json.loads(file.read_text())["name"] == "stripe:p1"
