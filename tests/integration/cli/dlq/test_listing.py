"""`payferry dlq list`, `show` and `groups`: finding dead letters, and understanding one."""

import json
import re
from pathlib import Path

import pytest

from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.search import Search
from tests.integration.cli.dlq.conftest import Graveyard, Run


@pytest.fixture
def three(graveyard: Graveyard) -> list[int]:
    """A pending letter of Stripe, a parked one of PayPal, and one of a record that is no event."""
    return [graveyard.pending("p1"), graveyard.parked("p2"), graveyard.undecodable(b'{"colour": "Blue"}')]


def ids(run: Run, *filters: str) -> list[int]:
    said = run("list", "--json", *filters)
    assert said.code == 0, said.err
    return [letter["id"] for letter in json.loads(said.out)["dead_letters"]]


def test_every_filter_narrows_the_list(run: Run, three: list[int], graveyard: Graveyard) -> None:
    one, two, bad = three
    [fingerprint] = graveyard.database.row("SELECT fingerprint FROM dead_letters WHERE id = %(id)s", {"id": two}) or ()
    assert ids(run) == [bad, two, one]
    for wanted, filters in (
        ([one], ("--provider", "stripe")),
        ([bad], ("--provider", "unknown")),
        ([two], ("--reason", "http_400")),
        ([one], ("--category", "transient")),
        ([bad, two], ("--state", "parked")),
        ([bad, two, one], ("--state", "parked", "--state", "pending")),
        ([two], ("--payment", "paypal:p2")),
        ([two], ("--payment", "p2")),
        ([], ("--since", "2100-01-01")),
        ([bad, two, one], ("--until", "2100-01-01T00:00Z")),
        ([], ("--older-than", "1h")),
        ([bad], ("--contains", "blue")),
        ([two], ("--fingerprint", fingerprint.upper())),
        ([two, one], ("--id", f"{one},{two}")),
        ([bad, two], ("--id", f"{two}-{bad + 100}")),
        ([], ("--provider", "stripe", "--state", "parked")),
    ):
        assert ids(run, *filters) == wanted, filters


def test_a_list_goes_on_where_its_page_ended_and_says_how(run: Run, three: list[int]) -> None:
    one, two, bad = three
    said = run("list", "--limit", "2", "--state", "parked,pending")
    assert said.out.splitlines()[-1] == (
        f"2 dead letters shown; more follow: payferry dlq list --state parked,pending --limit 2 --after {two}"
    )
    assert json.loads(run("list", "--limit", "2", "--json").out)["after"] == two
    assert ids(run, "--after", str(two)) == [one]
    last = json.loads(run("list", "--limit", "2", "--json", "--after", str(bad)).out)
    assert (len(last["dead_letters"]), last["after"]) == (2, None)


def test_the_count_is_a_number_and_nothing_else(run: Run, three: list[int]) -> None:
    assert run("list", "--count").out == f"{len(three)}\n"
    assert json.loads(run("list", "--count", "--json", "--state", "parked").out) == {"count": 2}


def test_nobody_is_dead(run: Run, graveyard: Graveyard) -> None:
    assert not graveyard.dump()["dead_letters"]
    assert run("list").out == "no dead letters\n"
    assert run("groups").out == "no dead letters\n"
    assert json.loads(run("groups", "--json").out) == {"groups": [], "more": False}


def test_the_json_of_one_is_the_very_record_that_is_announced(run: Run, three: list[int], graveyard: Graveyard) -> None:
    for letter_id in three:
        told = json.loads(run("show", str(letter_id), "--json").out)
        announced = graveyard.database.row(
            "SELECT payload FROM outbox WHERE key = %(key)s ORDER BY id DESC", {"key": str(letter_id)}
        )
        assert announced is not None
        assert told == announced[0] == Search(graveyard.database).record(letter_id)


def test_the_audit_comes_with_the_record_when_asked_for(run: Run, three: list[int], graveyard: Graveyard) -> None:
    Changes(graveyard.database).discard(Choice(ids=(three[1],)), Actor("jo@host", "not ours"))
    told = json.loads(run("show", str(three[1]), "--json", "--audit").out)
    assert told["dead_letter"]["state"] == "discarded"
    [line] = told["audit"]
    assert (line["who"], line["what"], line["why"]) == ("jo@host", "discard", "not ours")
    assert (line["before"]["state"], line["after"]["state"]) == ("parked", "discarded")


def test_people_see_everything_but_the_payload(run: Run, graveyard: Graveyard) -> None:
    letter_id = graveyard.undecodable(b'{"email":"jo@example.com"}', headers=[("correlation_id", b"c-1")])
    Changes(graveyard.database).discard(Choice(ids=(letter_id,)), Actor("jo@host", "not ours"))
    said = run("show", str(letter_id))
    for told in ("discarded", "undecodable", "$.amount: negative", "correlation_id", "jo@host", "not ours"):
        assert told in said.out
    assert "example.com" not in said.out
    assert '  "email": "jo@example.com"' in run("show", str(letter_id), "--payload").out


def test_people_see_the_event_but_not_who_pays(run: Run, graveyard: Graveyard) -> None:
    letter_id = graveyard.message("m1")
    [event] = graveyard.database.row("SELECT event::TEXT FROM dead_letters WHERE id = %(id)s", {"id": letter_id})  # type: ignore[misc]
    assert "jo@example.com" in event  # it is there
    assert "example.com" not in str(Search(graveyard.database).record(letter_id)["event"])  # type: ignore[index]
    said = run("show", str(letter_id))
    assert "payment id m1" in said.out
    assert "example.com" not in said.out + said.err


def test_a_payload_cannot_steer_the_terminal(run: Run, graveyard: Graveyard) -> None:
    letter_id = graveyard.undecodable(b"\x1b[2J\x07 [bold]\xff\n")
    out = run("show", str(letter_id), "--payload").out
    assert "\x1b" not in out
    assert r"\x1b[2J\x07 [bold]\xff" in out


def test_the_raw_bytes_go_to_a_file_or_to_stdout(run: Run, graveyard: Graveyard, tmp_path: Path) -> None:
    letter_id = graveyard.undecodable(b"plain \xc3\xa4")
    file = tmp_path / "raw"
    assert run("show", str(letter_id), "--raw", str(file)).out == ""
    assert file.read_bytes() == b"plain \xc3\xa4"
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("show", str(letter_id), "--raw", "-").out == "plain ä"


def test_a_letter_that_was_edited_shows_who_took_its_place(run: Run, graveyard: Graveyard) -> None:
    letter_id = graveyard.undecodable(
        b'{"id":"m1","amount":"-1.00","currency":"EUR","status":"paid","created_at":"2026-05-04T12:00:00Z"}'
    )
    child = json.loads(run("edit", str(letter_id), "--set", 'amount="1.00"', "--yes", "--json").out)["id"]
    assert re.search(rf"{child} +took its place", run("show", str(letter_id)).out)
    assert re.search(rf"{letter_id} +was edited", run("show", str(child)).out)


def test_what_died_of_the_same_thing_is_one_group(run: Run, three: list[int], graveyard: Graveyard) -> None:
    another = graveyard.parked("p3")
    told = json.loads(run("groups", "--json").out)
    assert [group["count"] for group in told["groups"]] == [2, 1, 1]
    assert told["groups"][0]["example_id"] == another
    said = run("groups", "--limit", "1")
    assert f"payferry dlq show {another}" in said.out
    assert f"payferry dlq replay --fingerprint {told['groups'][0]['fingerprint']}" in said.out
    assert "more follow: say a larger --limit" in said.out
    assert json.loads(run("groups", "--json", "--state", "pending").out)["groups"][0]["states"] == {"pending": 1}
    assert three
