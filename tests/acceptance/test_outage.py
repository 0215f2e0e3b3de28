"""A provider is away for some seconds: its payments wait and then settle, and nobody else's notice."""

from collections.abc import Mapping

import httpx
import pytest

from tests.acceptance.commands import PROGRAM, payferry
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Running, Sandbox, Up
from tests.integration.kafka import eventually

pytestmark = pytest.mark.slow

RATE = 15  # records a second, of each provider
RECORDS = 8 * RATE
SHORT = {
    f"PAYFERRY_POLICY__BREAKERS__STRIPE__{name}": "2" for name in ("OPEN_SECONDS", "OPEN_CAP_SECONDS", "SPREAD_SECONDS")
}
PATIENT = {"PAYFERRY_POLICY__PROVIDERS__STRIPE__FAILURES__TRANSIENT__RETRIES": "20"}
"""Whoever happens to be the breaker's probe again and again is not given up."""

SLOW_SECONDS = 3.0

UNFINISHED = "count(*) FROM inbox WHERE provider = '{}' AND finished_at IS NULL"
SLOWEST = "extract(epoch FROM max(finished_at - received_at)) FROM inbox WHERE provider = 'paypal'"

# Whoever waits has spent an attempt for each failure that is remembered, and one more is spent at work.
SPENT_BY_WAITING = """
count(*)
  FROM inbox
 WHERE attempts > jsonb_array_length(failures) + (state = 'processing' OR finished_at IS NOT NULL)::INT
"""


class Outage:
    """A running Payferry whose Stripe is away and whose PayPal is well."""

    def __init__(self, harbour: Harbour, env: Mapping[str, str]) -> None:
        self._harbour = harbour
        self._env = env

    def arrivals(self, provider: str) -> Running:
        """Return what puts records on the topic while it is entered."""
        options = ("--provider", provider, "--count", str(RECORDS), "--rate", str(RATE), "--seed", "11")
        return Running([PROGRAM, "produce", *options], self._env, self._harbour.folder, f"produce-{provider}")

    def put_stripe(self, **faults: object) -> None:
        """Change what goes wrong at Stripe."""
        url = f"{self._env['SANDBOX_URL']}/sandbox/faults"
        httpx.put(url, json={"stripe": faults}).raise_for_status()

    def breakers(self) -> dict[str, str]:
        """Return the state of each breaker of the fleet."""
        told = payferry("breakers", "list", "--json", env=self._env, folder=self._harbour.folder).json
        return {breaker["name"]: breaker["state"] for breaker in told["breakers"]}

    def number(self, which: str) -> float:
        """Return how many events, or what else of them, the ledger holds."""
        return float(self._harbour.ledger.rows(f"SELECT {which}")[0][0])

    def is_read(self) -> bool:
        """Say whether the bridge has taken in all that was produced."""
        told = payferry("status", "--json", env=self._env, folder=self._harbour.folder).json
        return not any(told["lag"].values())

    def reconciled(self) -> tuple[int, dict[str, int]]:
        """Return the exit code of `payferry reconcile`, and its counts."""
        done = payferry("reconcile", "--json", env=self._env, folder=self._harbour.folder)
        return done.code, done.json


@pytest.mark.timeout(180)
def test_while_one_provider_is_away_its_payments_wait_and_the_others_go_on(harbour: Harbour) -> None:
    with Sandbox(harbour.folder) as sandbox:
        env = {**harbour.env, **SHORT, **PATIENT, "SANDBOX_URL": sandbox.url}
        with Up(env, harbour.folder, "--no-flower"):
            outage = Outage(harbour, env)
            outage.put_stripe(outage=True)
            with outage.arrivals("stripe") as stripe, outage.arrivals("paypal") as paypal:
                eventually(lambda: outage.breakers().get("stripe") == "open", "the breaker has opened")
                assert stripe.process.wait(60) == paypal.process.wait(60) == 0
            eventually(outage.is_read, "all has come in")
            eventually(lambda: outage.number(UNFINISHED.format("paypal")) == 0, "the other provider's have ended", 3)
            assert outage.number(SLOWEST) < SLOW_SECONDS
            assert outage.breakers()["paypal"] == "closed"
            assert outage.number(UNFINISHED.format("stripe")) > RECORDS / 4
            assert outage.number(SPENT_BY_WAITING) == outage.number("count(*) FROM dead_letters") == 0
            outage.put_stripe()
            eventually(lambda: outage.number(UNFINISHED.format("stripe")) == 0, "what waited has ended", 30)
            assert outage.breakers()["stripe"] == "closed"
            code, found = outage.reconciled()
    assert code == found["lost"] == found["in_flight"] == found["dead"] == 0
    assert found["produced"] + found["duplicates"] == 2 * RECORDS
    assert outage.number(SPENT_BY_WAITING) == 0
