"""A provider is away for a while, and another one is not: what the payments of the second one notice of it.

    python -m benchmarks.outage --rate PER_SECOND --other-rate PER_SECOND --outage-seconds SECONDS --limit PER_SECOND

prints JSON. Stripe's payments come in at `rate`, each worth one call, and for `outage-seconds` every call gets a 503,
or what `fault` says. PayPal's come in at `other-rate` all the time. After the outage no more come for Stripe, and what
waited for it is worked off, with at most `limit` calls a second. Breakers have the times of the policies in force.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from config.settings import Settings, load_settings
from payments.event import Kind, Provider
from payments.providers.decoding import decode_event
from payments.streams.kafka import KafkaAccess
from payments.streams.publisher import Outgoing, StreamPublisher
from payments.wiring import Wiring
from workers.cli.reconcile import compare
from workers.logs import configure_logs
from workers.stack import Stack
from workers.supervisor.output import FolderOutput
from workers.traffic import Traffic, outgoing

AWAY, WELL = Provider.STRIPE, Provider.PAYPAL
_LIMIT = f"PAYFERRY_POLICY__RATE_LIMITS__{AWAY.upper()}__CALLS_PER_SECOND"
_WARM_UP_SECONDS = 5.0
_CHUNK_SECONDS = 0.05
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 900.0
_PAGE = 10_000
_ENDLESS = 10_000_000


def main() -> None:
    """Measure once and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=200.0, help="Stripe's payments a second")
    parser.add_argument("--other-rate", type=float, default=60.0, help="PayPal's payments a second")
    parser.add_argument("--before-seconds", type=float, default=20.0)
    parser.add_argument("--outage-seconds", type=float, default=60.0)
    parser.add_argument("--fault", default='{"outage": true}', help="what happens at Stripe, as docs/sandbox.md has it")
    parser.add_argument("--limit", type=int, default=250, help="calls a second that Stripe may get; 0: no limit")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    os.environ[_LIMIT] = str(given.limit)
    configure_logs(load_settings().log)
    with tempfile.TemporaryDirectory() as logs:
        instances = {"worker": given.workers, "flower": 0, "monitor": 0}
        with Stack(FolderOutput(Path(logs)), instances=instances) as stack:
            stack.wait_ready()
            print(json.dumps(Run(stack.settings, given).measured()))


class Arrivals:
    """Puts payments of one provider on the topic at a steady rate, while it is entered."""

    def __init__(self, settings: Settings, provider: Provider, per_second: float) -> None:
        kafka = settings.kafka
        self._publisher = StreamPublisher(KafkaAccess(bootstrap_servers=kafka.bootstrap_servers))
        self._messages = one_call_each(provider, kafka.topic)
        self._per_second = per_second
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._stopping.wait(_CHUNK_SECONDS):
            due = int((time.monotonic() - began) * self._per_second)
            sent += self._publisher.send(islice(self._messages, due - sent))


def one_call_each(provider: Provider, topic: str) -> Iterator[Outgoing]:
    """Yield made-up payments without end, each authorized and to be captured by us: one call."""
    traffic = Traffic(int.from_bytes(os.urandom(3)), (provider,), duplicate_ratio=0.0).messages(_ENDLESS)
    return (outgoing(message, topic) for message in traffic if decode_event(message.value).kind is Kind.AUTHORIZED)


class Run:
    """One stack with its arrivals. Moments are the database's."""

    def __init__(self, settings: Settings, given: argparse.Namespace) -> None:
        self._settings = settings
        self._given = given
        self._wiring = Wiring(settings)
        self._phases: dict[str, tuple[datetime, datetime]] = {}

    def measured(self) -> dict[str, Any]:
        """Go through all of it and return what was found."""
        given = self._given
        with Arrivals(self._settings, WELL, given.other_rate):
            with Arrivals(self._settings, AWAY, given.rate):
                time.sleep(_WARM_UP_SECONDS)  # connections, and the first of everything
                with self._phase("before"):
                    time.sleep(given.before_seconds)  # what is measured
                with self._phase("outage"), self._outage():
                    time.sleep(given.outage_seconds)  # likewise
            with self._phase("drain"):
                self._wait_until_none(_UNFINISHED_OF, {"provider": AWAY})
        self._wait_until_none(_UNFINISHED, {})
        return self._told()

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = self._now()
        yield
        self._phases[name] = began, self._now()

    @contextmanager
    def _outage(self) -> Iterator[None]:
        self._put_faults({AWAY: json.loads(self._given.fault)})
        yield
        self._put_faults({AWAY: {}})

    def _put_faults(self, faults: Mapping[str, Mapping[str, object]]) -> None:
        httpx.put(f"{self._settings.gateway.sandbox_url}/sandbox/faults", json=faults).raise_for_status()

    def _wait_until_none(self, statement: str, told: Mapping[str, object]) -> None:
        ends_at = time.monotonic() + _PATIENCE_SECONDS
        while self._one(statement, told):
            if time.monotonic() > ends_at:
                raise TimeoutError("events are left unfinished")
            time.sleep(_LOOK_SECONDS)  # between two looks at the ledger

    def _told(self) -> dict[str, Any]:
        found = compare(self._settings, self._wiring.census())
        calls = self._calls(self._phases["drain"][0])
        return {
            "phases": {name: self._phase_told(*span) for name, span in self._phases.items()},
            "calls_refused_in_outage": self._one(_FAILED_CALLS),
            "attempts_burnt_by_waiting": self._one(_BURNT_BY_WAITING),
            "waited_in_all": self._one(_EVER_WAITED),
            "lost": found.lost,
            "dead": found.dead,
            "double_effects": found.double_effects,
            "money_mismatch": found.money_mismatch,
            "first_call_after_seconds": (calls[0] - self._phases["drain"][0]).total_seconds(),
            "drained": len(calls),
            "drain_per_second": per_second(calls[len(calls) // 20 : -len(calls) // 20]),
            "limit": self._given.limit,
            "most_calls_in_a_second": most_in_a_second(calls),
        }

    def _phase_told(self, began: datetime, ended: datetime) -> dict[str, Any]:
        """Return, of each provider, what settled in a second, and how long those took that came in meanwhile."""
        seconds = (ended - began).total_seconds()
        told: dict[str, Any] = {"seconds": round(seconds, 1)}
        for provider in (AWAY, WELL):
            span = {"provider": provider, "began": began, "ended": ended}
            row = self._wiring.database.row(_SETTLED, span)
            assert row is not None
            told[provider] = {
                "settled_per_second": round(row[0] / seconds, 1),
                "came_per_second": round(row[1] / seconds, 1),
                "seconds_p50_p95_p99": [round(each, 3) for each in row[2] or ()],
            }
        return told

    def _calls(self, since: datetime) -> list[datetime]:
        """Return when, since then, the provider that was away took each capture."""
        after, found = 0, []
        while page := self._page(after):
            found += [datetime.fromisoformat(each["at"]) for each in page]
            after = page[-1]["seq"]
        return [at for at in found if at >= since]

    def _page(self, after: int) -> list[dict[str, Any]]:
        asked: dict[str, str | int] = {"provider": AWAY, "after": after, "limit": _PAGE}
        page: list[dict[str, Any]] = httpx.get(
            f"{self._settings.gateway.sandbox_url}/sandbox/effects", params=asked, timeout=30
        ).json()["effects"]
        return page

    def _now(self) -> datetime:
        now: datetime = self._one("SELECT clock_timestamp()")
        return now

    def _one(self, statement: str, told: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - any column
        row = self._wiring.database.row(statement, told)
        assert row is not None
        return row[0]


def per_second(moments: list[datetime]) -> float:
    """Return how many there were in a second, on the whole. They must be in order."""
    return len(moments) / (moments[-1] - moments[0]).total_seconds()


def most_in_a_second(moments: list[datetime]) -> int:
    """Return the largest number of moments that any second holds. They must be in order."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= timedelta(seconds=1):
            first += 1
        most = max(most, last - first + 1)
    return most


_UNFINISHED_OF = "SELECT count(*) FROM inbox WHERE finished_at IS NULL AND provider = %(provider)s"
_UNFINISHED = "SELECT count(*) FROM inbox WHERE finished_at IS NULL"

_SETTLED = """
SELECT count(*) FILTER (WHERE state = 'settled' AND finished_at >= %(began)s AND finished_at < %(ended)s),
       count(*) FILTER (WHERE received_at >= %(began)s AND received_at < %(ended)s),
       percentile_cont('{0.5, 0.95, 0.99}'::FLOAT8[])
           WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - received_at)::FLOAT8)
           FILTER (WHERE received_at >= %(began)s AND received_at < %(ended)s)
  FROM inbox
 WHERE provider = %(provider)s
"""

_FAILED_CALLS = "SELECT coalesce(sum(jsonb_array_length(failures)), 0)::BIGINT FROM inbox"

# A settled event has spent one attempt, and one for each failure that it remembers. More were burnt by waiting.
_BURNT_BY_WAITING = "SELECT coalesce(sum(attempts - 1 - jsonb_array_length(failures)), 0)::BIGINT FROM inbox"
_EVER_WAITED = "SELECT count(*) FROM inbox WHERE waited > '0 s'"


if __name__ == "__main__":
    main()
