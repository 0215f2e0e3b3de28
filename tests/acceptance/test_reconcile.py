"""`payferry reconcile` notices what went wrong. Each test spoils a copy of a finished run's books."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.commands import Done, payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.ledger import Ledger
from tests.acceptance.running import Sandbox, Up
from tests.integration.kafka import eventually
from workers.embedded.postgres import Postgres

pytestmark = pytest.mark.timeout(180)
RECORDS = 120


@pytest.fixture(scope="module")
def finished(harbour: Harbour) -> Harbour:
    """A run that is over; the effects that its providers had are in the harbour's folder."""
    with Sandbox(harbour.folder) as sandbox:
        env = {**harbour.env, "SANDBOX_URL": sandbox.url}
        with Up(env, harbour.folder, "--no-flower"):
            arguments = ("produce", "--count", str(RECORDS), "--seed", "3", "--bad", "0.05")
            assert payferry(*arguments, env=env, folder=harbour.folder).code == 0
            eventually(lambda: _is_over(harbour), "all has ended")
    return harbour


def _is_over(harbour: Harbour) -> bool:
    told = payferry("status", "--json", env=harbour.env, folder=harbour.folder).json
    return sum(told["lag"].values()) == 0 and harbour.ledger.ended() == harbour.ledger.taken_in() > 0


class Books:
    """A copy of the finished run, to be spoiled."""

    def __init__(self, ledger: Ledger, sandbox: Sandbox, env: dict[str, str], folder: Path) -> None:
        self.ledger = ledger
        self.sandbox = sandbox
        self._env = env
        self._folder = folder

    def reconcile(self, *options: str) -> Done:
        """Return what the command says."""
        return payferry("reconcile", *options, env=self._env, folder=self._folder)

    def wrong(self) -> dict[str, int]:
        """Return what it found to be wrong; its exit code must say the same."""
        done = self.reconcile("--json")
        found = {name: done.json[name] for name in ("lost", "double_effects", "money_mismatch") if done.json[name]}
        assert done.code == (1 if found else 0)
        return found


@pytest.fixture
def books(finished: Harbour, postgres: Postgres, tmp_path: Path) -> Iterator[Books]:
    template = finished.ledger.url.rpartition("/")[2]
    ledger = Ledger(postgres.fresh_database(f"copy_{uuid.uuid4().hex[:12]}", template=template))
    shutil.copy(finished.folder / "effects.jsonl", tmp_path)
    with Sandbox(tmp_path) as sandbox:
        env = {**finished.env, "DATABASE_URL": ledger.url, "SANDBOX_URL": sandbox.url}
        yield Books(ledger, sandbox, env, tmp_path)


def test_clean_books_are_said_to_be_clean(books: Books) -> None:
    done = books.reconcile("--json")
    assert done.code == 0, done.out
    assert done.json["produced"] + done.json["duplicates"] == RECORDS
    assert done.json["dead"] > 0
    assert books.wrong() == {}


def test_for_people_there_is_a_table(books: Books) -> None:
    done = books.reconcile()
    assert done.code == 0
    assert "money mismatch" in done.out


def test_a_record_that_is_neither_alive_nor_dead_is_lost(books: Books) -> None:
    assert books.ledger.change("DELETE FROM inbox WHERE id = (SELECT min(id) FROM inbox WHERE state = 'ignored')") == 1
    assert books.wrong() == {"lost": 1}


def test_a_dead_letter_that_is_gone_is_lost(books: Books) -> None:
    assert books.ledger.change(
        "DELETE FROM dead_letters WHERE id = (SELECT min(id) FROM dead_letters WHERE inbox_id IS NULL)"
    )
    assert books.wrong() == {"lost": 1}


def test_an_unfinished_event_is_in_flight_and_not_lost(books: Books) -> None:
    assert books.ledger.change(
        "UPDATE inbox SET state = 'received', finished_at = NULL "
        "WHERE id = (SELECT min(id) FROM inbox WHERE state = 'ignored')"
    )
    assert books.reconcile("--json").json["in_flight"] == 1
    assert books.wrong() == {}


def test_an_entry_that_was_changed_by_hand_is_a_mismatch(books: Books) -> None:
    assert books.ledger.change(
        "UPDATE entries SET amount_minor = amount_minor + 1 WHERE (ordering_key, leg) = "
        "(SELECT ordering_key, leg FROM entries WHERE leg = 'capture/debit' ORDER BY ordering_key LIMIT 1)"
    )
    assert books.wrong() == {"money_mismatch": 1}


def test_books_that_balance_and_are_wrong_are_a_mismatch(books: Books) -> None:
    assert books.ledger.change(
        "UPDATE entries SET amount_minor = amount_minor * 2 WHERE ordering_key = "
        "(SELECT min(ordering_key) FROM entries WHERE leg = 'capture/debit')"
    )
    assert books.wrong() == {"money_mismatch": 1}


def test_an_amount_of_a_payment_that_was_changed_by_hand_is_a_mismatch(books: Books) -> None:
    assert books.ledger.change(
        "UPDATE payments SET captured_minor = captured_minor + 100 "
        "WHERE ordering_key = (SELECT min(ordering_key) FROM payments WHERE captured_minor > 0)"
    )
    assert books.wrong()["money_mismatch"] == 1


def test_a_second_capture_at_the_provider_is_a_double_effect(books: Books) -> None:
    intent, amount_minor = _captured_at_stripe(books)
    faults = {"stripe": {"allow_double_capture": True}}
    httpx.put(f"{books.sandbox.url}/sandbox/faults", json=faults).raise_for_status()
    answer = httpx.post(
        f"{books.sandbox.url}/v1/payment_intents/{intent}/capture",
        data={"amount_to_capture": str(amount_minor)},
        headers={"Authorization": "Bearer sandbox", "Idempotency-Key": uuid.uuid4().hex},
    )
    assert answer.is_success, answer.text
    assert books.wrong()["double_effects"] == 1


def test_money_that_a_provider_took_and_nobody_booked_is_a_mismatch(books: Books) -> None:
    intent, _ = _captured_at_stripe(books)
    key = f"stripe:{intent}"
    for table in ("entries", "payments"):
        assert books.ledger.change(f"DELETE FROM {table} WHERE ordering_key = '{key}'")  # noqa: S608 - our own names
    assert books.wrong() == {"money_mismatch": 1}


def _captured_at_stripe(books: Books) -> tuple[str, int]:
    """Return a payment that the sandbox captured at our request, and its amount in minor units."""
    effects = httpx.get(f"{books.sandbox.url}/sandbox/effects", params={"provider": "stripe"}).json()["effects"]
    captured = next(effect for effect in effects if effect["action"] == "capture")
    return captured["payment_id"], captured["amount_minor"]


def test_without_a_ledger_it_says_so_in_one_line(finished: Harbour) -> None:
    env = {**finished.env, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = payferry("reconcile", env=env, folder=finished.folder)
    assert done.code == 1
    assert done.err.strip().splitlines()[-1].startswith("payferry: ")
    assert "Traceback" not in done.err
