"""`payferry payments`, as its caller meets it."""

import json
import socket

import pytest

from payferry.v1 import payment_pb2 as messages
from tests.integration.cli.api.conftest import Run
from tests.integration.client.twin import Twin, a_payment


def test_one_payment_is_shown(run: Run, twin: Twin) -> None:
    twin.payments = [a_payment(1, customer_email="j***@***.com", captured_minor=1250)]
    said = run("payments", "get", "stripe:pi_1")
    assert said.code == 0, said.err
    for told in ("12.50 EUR", "completed", "j***@***.com"):
        assert told in said.out
    assert json.loads(run("payments", "get", "stripe:pi_1", "--json").out)["payment"]["captured"] == "12.50"


def test_a_stale_answer_is_marked(run: Run, twin: Twin) -> None:
    twin.payments = [a_payment(1)]
    twin.is_stale = True
    said = run("payments", "get", "stripe:pi_1")
    assert said.code == 0
    assert "the ledger does not answer; this is what was known 3.0 s ago" in said.err


def test_a_payment_that_nobody_has_heard_of_exits_with_1(run: Run) -> None:
    said = run("payments", "get", "stripe:nobody")
    assert (said.code, said.out) == (1, "")
    assert said.err == "payferry: not_found: nobody has heard of this payment (api GetPayment)\n"


@pytest.mark.parametrize("name", ["pi_1", "stripe:", ":pi_1"])
@pytest.mark.parametrize("verb", ["get", "history"])
def test_a_name_without_its_provider_is_refused_with_the_right_form(run: Run, verb: str, name: str) -> None:
    said = run("payments", verb, name)
    assert said.code == 2
    assert "write provider:id" in said.err


def test_a_page_tells_how_many_there_are_and_how_to_go_on(run: Run, twin: Twin) -> None:
    twin.payments = [a_payment(number) for number in range(5)]
    said = run("payments", "list", "--limit", "2")
    assert said.code == 0, said.err
    assert "stripe:pi_1" in said.out
    assert said.err.splitlines() == ["2 of 5 payments shown", "more follow: the same with --page-token 2"]
    told = json.loads(run("payments", "list", "--limit", "2", "--page-token", "2", "--json").out)
    assert [payment["id"] for payment in told["payments"]] == ["stripe:pi_2", "stripe:pi_3"]
    assert (told["next_page_token"], told["total"]) == ("4", 5)


def test_all_pages_are_a_payment_a_line(run: Run, twin: Twin) -> None:
    twin.payments = [a_payment(number) for number in range(120)]
    assert len(run("payments", "list", "--all").out.splitlines()) == 120
    told = [json.loads(line)["payment_id"] for line in run("payments", "list", "--all", "--json").out.splitlines()]
    assert told == [f"pi_{number}" for number in range(120)]


def test_no_payment_at_all_is_said(run: Run) -> None:
    said = run("payments", "list")
    assert (said.code, said.err) == (0, "no payments\n")


def test_all_and_a_page_do_not_go_together(run: Run) -> None:
    said = run("payments", "list", "--all", "--page-token", "2")
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_a_status_that_nobody_knows_is_refused_with_those_that_there_are(run: Run) -> None:
    said = run("payments", "list", "--status", "complete")
    assert said.code == 2
    assert "completed" in said.err


def test_a_history_is_shown_with_all_its_parts(run: Run, twin: Twin) -> None:
    event = messages.HistoryEvent(event_id="evt_1", kind="requested", state="settled", attempts=2)
    event.correlation_id = "order-7"
    event.steps.add(step="capture", mark="done", reference_id="ch_1")
    event.failures.add(attempt=1, kind="unanswered", code="http_500", message="the provider failed")
    twin.history = messages.GetPaymentHistoryResponse(
        payment=a_payment(1),
        events=[event],
        entries=[messages.Entry(leg="capture/debit", account="provider", amount_minor=1250, currency="EUR")],
        dead_letters=[messages.DeadLetter(id=7, state="parked", reason="http_400")],
        declines=[messages.Decline(kind="card_declined", code="do_not_honor")],
        truncated=True,
    )
    said = run("payments", "history", "stripe:pi_1")
    assert said.code == 0, said.err
    for told in ("evt_1", "ch_1", "http_500", "capture/debit", "12.50 EUR", "http_400", "do_not_honor", "order-7"):
        assert told in said.out
    assert "each part shows its latest" in said.err
    told = json.loads(run("payments", "history", "stripe:pi_1", "--json").out)
    assert told["events"][0]["steps"][0]["step"] == "capture"


def test_an_api_that_is_not_there_exits_with_1_and_names_the_setting(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYFERRY_API_CONNECT_SECONDS", "0.2")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        said = run("payments", "list", "--address", f"127.0.0.1:{bound.getsockname()[1]}")
    assert said.code == 1
    assert "nobody listens there; is PAYFERRY_API right" in said.err
