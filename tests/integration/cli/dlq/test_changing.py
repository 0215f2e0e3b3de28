"""`payferry dlq park`, `discard` and `restore`: what a person does to many at once."""

import json

import pytest

from payments.ledger.dead_letters.search import Search
from tests.integration.cli.dlq.conftest import Graveyard, Run
from workers.cli.operator import operator

WHY = ("--why", "not ours")


def test_a_discard_is_undone_as_it_was(run: Run, graveyard: Graveyard) -> None:
    pending, parked = graveyard.pending("p1"), graveyard.parked("p2")
    said = run("discard", "--all", "--yes", "--json", *WHY)
    assert json.loads(said.out) == {"discarded": 2, "meant": 2, "dry_run": False}
    assert "2 dead letters: 1 http_400, 1 http_503; 1 paypal, 1 stripe" in said.err
    assert [graveyard.state(each) for each in (pending, parked)] == ["discarded", "discarded"]
    [line] = [change for change in Search(graveyard.database).audit(pending) if change.what == "discard"]
    assert (line.who, line.why) == (operator(), "not ours")

    assert json.loads(run("restore", "--id", f"{pending},{parked}", "--yes", "--json").out)["restored"] == 2
    assert [graveyard.state(each) for each in (pending, parked)] == ["pending", "parked"]


def test_parking_leaves_those_alone_that_are_parked(run: Run, graveyard: Graveyard) -> None:
    pending, parked = graveyard.pending("p1"), graveyard.parked("p2")
    assert json.loads(run("park", "--all", "--yes", "--json", *WHY).out)["parked"] == 1
    assert [graveyard.state(each) for each in (pending, parked)] == ["parked", "parked"]


@pytest.mark.parametrize("verb", ["park", "discard", "restore"])
def test_a_dry_run_says_what_it_would_do_and_leaves_it_at_that(run: Run, graveyard: Graveyard, verb: str) -> None:
    letter_id = graveyard.pending("p1")
    if verb == "restore":
        graveyard.set_aside(letter_id, "discarded")
    before = graveyard.dump()
    said = run(verb, "--provider", "stripe", "--dry-run", "--json", *WHY)
    assert said.code == 0
    assert f"would {verb} 1 dead letter" in said.err
    assert json.loads(said.out)["meant"] == 1
    assert graveyard.dump() == before


@pytest.mark.parametrize("verb", ["park", "discard", "restore"])
def test_where_nothing_is_meant_nothing_is_done_and_that_is_no_failure(
    run: Run, graveyard: Graveyard, verb: str
) -> None:
    graveyard.undecodable()
    before = graveyard.dump()
    said = run(verb, "--provider", "paypal", "--yes", *WHY)
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith(f"nothing to {verb}: no ")
    assert graveyard.dump() == before


@pytest.mark.parametrize(("typed", "code", "state"), [("y\n", 0, "discarded"), ("n\n", 1, "parked"), ("", 1, "parked")])
def test_a_person_is_asked_first(run: Run, graveyard: Graveyard, typed: str, code: int, state: str) -> None:
    letter_id = graveyard.parked("p1")
    said = run("discard", "--id", str(letter_id), *WHY, typed=typed)
    assert said.code == code
    assert "Discard 1 dead letter? [y/N]" in said.err
    assert code == 0 or said.err.endswith("nothing was changed\n")
    assert graveyard.state(letter_id) == state


def test_more_than_one_transaction_holds_are_changed_in_several(
    run: Run, graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.cli.dlq.changing._AT_ONCE", 2)
    letters = [graveyard.undecodable() for _ in range(5)]
    assert json.loads(run("discard", "--all", "--yes", "--json", *WHY).out)["discarded"] == 5
    assert {graveyard.state(each) for each in letters} == {"discarded"}
