"""Payments of which 15 % fail, in eight ways, and what becomes of each.

    python -m tests.acceptance.eight_ways --payments 20000

starts everything with embedded servers, sends them through, checks every dead letter, lifts the faults, lets beat
replay what is due, checks every ending and the books, and prints what it has seen as JSON. The test runs less of it.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from payments.event import Provider
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, StreamPublisher
from tests.acceptance.commands import payferry
from tests.acceptance.ledger import Ledger
from tests.acceptance.running import Up
from tests.integration.kafka import eventually
from workers.traffic_messages import WORDINGS, Payment

FAILING = 0.15

ENV = {
    "GATEWAY_TIMEOUT_SECONDS": "0.4",
    "OUT_OF_ORDER_WINDOW_SECONDS": "1",
    "OUT_OF_ORDER_WAIT_SECONDS": "0.5",
    "DLQ_REPLAY_SCHEDULE": "1",
    "DLQ_REPLAY_BATCH_SIZE": "1000",
    "DLQ_REPLAY_BASE_SECONDS": "1",
    "DLQ_REPLAY_FACTOR": "1.5",
    "PAYFERRY_POLICY__FAILURES__TRANSIENT__RETRIES": "1",
    "PAYFERRY_POLICY__FAILURES__OUTCOME_UNKNOWN__RETRIES": "1",
    "PAYFERRY_POLICY__FAILURES__TRANSIENT__BASE_SECONDS": "0.2",
    "PAYFERRY_POLICY__FAILURES__UNKNOWN__BASE_SECONDS": "0.2",
    # every one of them is to fail by itself, and not to wait for a breaker or a budget
    "PAYFERRY_POLICY__BREAKERS__DEFAULT__CONSECUTIVE_FAILURES": "100000",
    "PAYFERRY_POLICY__BREAKERS__DEFAULT__MINIMUM_VOLUME": "100000",
    "PAYFERRY_POLICY__RETRY_BUDGETS__DEFAULT__SHARE": "1",
    "PAYFERRY_POLICY__RETRY_BUDGETS__DEFAULT__FLOOR_PER_SECOND": "10000",
    "PAYFERRY_POLICY__RATE_LIMITS__STRIPE__CALLS_PER_SECOND": "0",
}


class Way(NamedTuple):
    """How some payments fail, what their dead letters say at first, and where those end."""

    category: str
    reasons: frozenset[str]
    first: str
    last: str
    resolution: str | None


WAYS = {
    "malformed": Way("permanent", frozenset({"undecodable"}), "parked", "parked", None),
    "told otherwise": Way("permanent", frozenset({"contradicts_known_event"}), "parked", "parked", None),
    "other amount": Way("permanent", frozenset({"amount_mismatch"}), "parked", "parked", None),
    "refund of nothing": Way("transient", frozenset({"out_of_order"}), "pending", "parked", None),
    "provider errors": Way("unknown or transient", frozenset({"api_error"}), "pending", "resolved", "settled"),
    "connection broken": Way("unknown", frozenset({"connection_reset"}), "pending", "resolved", "settled"),
    "answer lost": Way("unknown", frozenset({"connection_reset"}), "pending", "resolved", "settled"),
    "refused": Way("permanent", frozenset({"refused_by_sandbox"}), "parked", "parked", None),
}

FAULTS: dict[str, dict[str, object]] = {
    "stripe": {"error_rate": 1},
    "razorpay": {"drop_before_effect_rate": 1},
    "paypal": {"timeout_after_effect_rate": 1, "drop_question_rate": 1},
    "canonical": {"refuse_verbs": ["authorize", "capture"]},
}
_AT_PROVIDERS = {
    "provider errors": Provider.STRIPE,
    "connection broken": Provider.RAZORPAY,
    "answer lost": Provider.PAYPAL,
    "refused": Provider.CANONICAL,
}


def a_payment(provider: Provider, token: str, *life: str) -> Payment:
    """Return a made-up payment over 12.00 EUR, or rupees."""
    currency = "INR" if provider is Provider.RAZORPAY else "EUR"
    return Payment(
        provider=provider,
        token=token,
        life=life,
        amount_minor=1200,
        part_minor=400,
        currency=currency,
        email=f"{token}@example.com",
        card="4242424242424242",
        plain=True,
    )


def worded(payment: Payment, step: str, topic: str) -> Outgoing:
    """Return the record in which the payment's provider tells of the step."""
    body = WORDINGS[payment.provider](payment, step, 1_770_000_000)
    headers: list[tuple[str, str | bytes | None]] = [("correlation_id", payment.token.encode())]
    if payment.provider is Provider.RAZORPAY:
        headers.append(("x-razorpay-event-id", f"evt-{payment.token}-{step}".encode()))
    value = msgspec.json.encode(body)
    return Outgoing(topic=topic, key=payment.ordering_key.encode(), value=value, headers=headers)


def failing(way: str, token: str, topic: str) -> list[Outgoing]:
    """Return the records of one payment that fails in this way; its token stands in all of them."""
    if way == "malformed":
        return [Outgoing(topic=topic, key=token.encode(), value=b'{"id": "' + token.encode() + b'", "amount": "ten"}')]
    if way in _AT_PROVIDERS:
        payment = a_payment(_AT_PROVIDERS[way], token, "authorized")
        return [worded(payment, "authorized", topic)]
    payment = a_payment(Provider.CANONICAL, token, "captured", "part_refunded")
    if way == "refund of nothing":
        return [worded(payment, "part_refunded", topic)]
    other = msgspec.structs.replace(payment, amount_minor=1300)
    told = worded(other, "captured", topic)
    if way == "other amount":
        value = told.value.replace(b'"completed"', b'"paid"')  # another event, of the same payment
        told = msgspec.structs.replace(told, value=value)
    return [worded(payment, "captured", topic), told]


def sound(token: str, number: int, topic: str) -> Outgoing:
    """Return the record of a payment that goes well, without a call to its provider."""
    provider = tuple(Provider)[number % len(Provider)]
    return worded(a_payment(provider, token, "captured"), "captured", topic)


class Run:
    """One run against a Payferry whose processes have `ENV`."""

    def __init__(self, env: Mapping[str, str], folder: Path, payments: int) -> None:
        self._env = env
        self._folder = folder
        self._topic = env.get("KAFKA_TOPIC", "payments.raw")
        self._ledger = Ledger(env["DATABASE_URL"])
        self._each = max(1, round(payments * FAILING / len(WAYS)))
        self._sound = payments - self._each * len(WAYS)
        self._failing = {way: [f"W{place}N{n:07d}" for n in range(self._each)] for place, way in enumerate(WAYS)}

    def go(self) -> dict[str, Any]:
        """Send all, check, lift the faults, check; return what was seen. AssertionError where a promise is broken."""
        began = time.monotonic()
        self._dlq("pause", "--why", "until the faults are lifted")
        self._put_faults(FAULTS)
        sent = StreamPublisher(KafkaAccess(bootstrap_servers=self._env["KAFKA_BOOTSTRAP_SERVERS"])).send(
            self._records()
        )
        eventually(lambda: self._ledger.taken_in() >= sent, f"all {sent} are taken in", 600)
        eventually(self._is_at_rest, "every event has ended, well or not", 1200)
        buried = self._letters()
        self._check_first(buried)
        at_rest = time.monotonic()
        self._put_faults({"*": {}})
        self._dlq("resume")
        eventually(self._is_mended, "nothing is pending or on its way", 600)
        ended = self._letters()
        self._check_last(ended)
        told = {
            "sent": sent,
            "seconds": round(at_rest - began, 1),
            "seconds_after": round(time.monotonic() - at_rest, 1),
        }
        return told | {
            "letters": len(ended),
            "first": _counted(buried),
            "last": _counted(ended),
            "reconcile": self._books(),
        }

    def _records(self) -> Iterator[Outgoing]:
        """Yield the sound ones and, spread among them, those that fail."""
        bad = itertools.chain.from_iterable(
            failing(way, token, self._topic)
            for tokens in zip(*self._failing.values(), strict=True)
            for way, token in zip(WAYS, tokens, strict=True)
        )
        stride = max(1, self._sound // (self._each * len(WAYS)))
        for number in range(self._sound):
            yield sound(f"S{number:07d}", number, self._topic)
            if number % stride == 0:
                yield from itertools.islice(bad, 1)
        yield from bad

    def _letters(self) -> list[dict[str, Any]]:
        rows = self._ledger.rows(
            """SELECT category, reason, state::TEXT, resolution, replay_count, correlation_id,
                      substring(convert_from(payload, 'UTF8') FROM 'W[0-7]N[0-9]{7}'), jsonb_array_length(failures)
                 FROM dead_letters ORDER BY id"""
        )
        names = ("category", "reason", "state", "resolution", "replay_count", "correlation_id", "token", "attempts")
        places = list(WAYS)
        letters = [dict(zip(names, row, strict=True)) for row in rows]
        return [letter | {"way": places[int(letter["token"][1])]} for letter in letters]

    def _check_first(self, letters: list[dict[str, Any]]) -> None:
        """Each payment that failed has one letter, with the right category, reason and state; no other has any."""
        buried, meant = Counter(each["token"] for each in letters), Counter(itertools.chain(*self._failing.values()))
        assert buried == meant, (meant - buried, buried - meant)
        for letter in letters:
            way = WAYS[letter["way"]]
            assert letter["category"] in way.category, letter
            assert letter["reason"] in way.reasons, letter
            assert (letter["state"], letter["replay_count"]) == (way.first, 0), letter
            assert letter["attempts"] >= 1, letter

    def _check_last(self, letters: list[dict[str, Any]]) -> None:
        """What could be resolved is; the rest is parked, what is replayed by itself after three times."""
        assert len(letters) == self._each * len(WAYS)
        for letter in letters:
            way = WAYS[letter["way"]]
            assert (letter["state"], letter["resolution"]) == (way.last, way.resolution), letter
            replays = {"parked": 0, "pending": 3}[way.first] if way.last == "parked" else letter["replay_count"]
            assert letter["replay_count"] == replays, letter

    def _books(self) -> dict[str, int]:
        done = payferry("reconcile", "--json", env=self._env, folder=self._folder, seconds=300)
        assert done.code == 0, done.out + done.err
        parked = sum(way.last == "parked" for way in WAYS.values())
        assert done.json["in_flight"] == 0
        assert done.json["dead"] == self._each * parked
        return done.json

    def _is_at_rest(self) -> bool:
        return self._number("FROM inbox WHERE finished_at IS NULL") == 0

    def _is_mended(self) -> bool:
        return self._number("FROM dead_letters WHERE state IN ('pending', 'replaying')") == 0

    def _number(self, what: str) -> int:
        return int(self._ledger.rows(f"SELECT count(*) {what}")[0][0])

    def _put_faults(self, faults: Mapping[str, object]) -> None:
        httpx.put(f"{self._env['SANDBOX_URL']}/sandbox/faults", json=faults).raise_for_status()

    def _dlq(self, *arguments: str) -> None:
        done = payferry("dlq", *arguments, env=self._env, folder=self._folder)
        assert done.code == 0, done.out + done.err


def _counted(letters: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how many letters of each way are in each state."""
    found: dict[str, Counter[str]] = {}
    for letter in letters:
        state = letter["state"] + (f" as {letter['resolution']}" if letter["resolution"] else "")
        found.setdefault(letter["way"], Counter())[state] += 1
    return {way: dict(counts) for way, counts in found.items()}


def main() -> None:
    """Run once with embedded servers and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Up(ENV, folder, "--no-flower", "--workers", str(given.workers)) as up:
            up.wait_for(lambda: "export " in up.output(), "its servers are named")
            line = next(line for line in up.output().splitlines() if "export " in line)
            exports = dict(word.split("=", 1) for word in line.partition("export ")[2].split())
            sys.stdout.write(json.dumps(Run(ENV | exports, folder, given.payments).go(), indent=2) + "\n")


if __name__ == "__main__":
    main()
