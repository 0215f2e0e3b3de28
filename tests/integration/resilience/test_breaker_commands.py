import json
from typing import Any

import pytest
import redis
from typer.testing import CliRunner, Result

from payments.resilience.exchange import Exchange
from payments.resilience.switchboard import Switchboard
from tests.integration.resilience.breakers import POLICY
from workers.cli.breakers import breakers


@pytest.fixture
def board(line: redis.Redis) -> Switchboard:
    def nothing(*_: object, **__: object) -> None: ...

    return Switchboard(Exchange(line, nothing), {"default": POLICY, "stripe": POLICY, "paypal": POLICY}, nothing)


def _run(board: Switchboard, *words: str, answer: str = "") -> Result:
    return CliRunner().invoke(breakers, words, obj=board, input=answer)


def _listed(board: Switchboard) -> dict[str, Any]:
    told = json.loads(_run(board, "list", "--json").stdout)
    return {view["name"]: view for view in told["breakers"]}


def test_list_shows_every_breaker_also_those_that_nobody_has_used(board: Switchboard) -> None:
    board.trip("razorpay")
    listed = _listed(board)
    assert {name: view["state"] for name, view in listed.items()} == {
        "paypal": "closed",
        "razorpay": "open",
        "stripe": "closed",
    }
    assert listed["razorpay"]["opened"] == 1


def test_list_is_a_table_for_people(board: Switchboard) -> None:
    board.isolate("stripe")
    told = _run(board, "list")
    assert told.exit_code == 0
    assert "until reset" in told.stdout
    assert "isolated" in told.stdout


def test_list_tells_the_latest_changes(board: Switchboard) -> None:
    board.trip("stripe")
    board.reset("stripe")
    changes = json.loads(_run(board, "list", "--json").stdout)["changes"]
    assert [(each["now"], each["reason"]) for each in changes] == [("closed", "reset"), ("open", "tripped")]


@pytest.mark.parametrize(("order", "state"), [("trip", "open"), ("isolate", "open"), ("reset", "closed")])
def test_an_order_with_yes_is_carried_out_at_once(board: Switchboard, order: str, state: str) -> None:
    before = _listed(board)["stripe"]["generation"]
    told = _run(board, order, "stripe", "--yes")
    assert told.exit_code == 0
    after = _listed(board)["stripe"]
    assert after["state"] == state
    assert after["isolated"] is (order == "isolate")
    assert after["generation"] > before


@pytest.mark.parametrize("order", ["trip", "isolate", "reset"])
def test_a_dry_run_and_a_no_leave_everything_as_it_is(board: Switchboard, order: str) -> None:
    dry = _run(board, order, "stripe", "--dry-run")
    assert dry.exit_code == 0
    assert "would" in dry.stderr
    refused = _run(board, order, "stripe", answer="n\n")
    assert refused.exit_code == 1
    assert board.transitions() == []


def test_an_order_is_carried_out_after_a_yes(board: Switchboard) -> None:
    assert _run(board, "trip", "stripe", answer="y\n").exit_code == 0
    assert _listed(board)["stripe"]["state"] == "open"


@pytest.mark.parametrize("order", ["trip", "isolate", "reset"])
def test_a_name_that_nobody_knows_is_refused_with_those_that_are_known(board: Switchboard, order: str) -> None:
    told = _run(board, order, "strpe", "--yes")
    assert told.exit_code == 2
    assert "strpe" in told.stderr
    assert "paypal, stripe" in told.stderr
    assert board.transitions() == []
