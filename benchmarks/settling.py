"""Settling made-up payments at a steady rate: the statements of a worker, without a provider.

    DATABASE_URL=… python -m benchmarks.settling --payments COUNT --rate PER_SECOND [--name PREFIX]

brings all of them into the inbox, prints `ready`, waits for a line, settles them, and prints as JSON how long it
took.
"""

import argparse
import json
import os
import sys
import time

from payments.event import Kind
from payments.ledger.database import Database, DatabasePolicy
from tests.builders import an_event
from tests.integration.api.till import Till

_AT_ONCE = 500
_POLICY = DatabasePolicy(pool_size=1, connect_timeout_seconds=5, statement_timeout_ms=30_000)


def main() -> None:
    """Settle, and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="payments a second; 0: as fast as one thread can")
    parser.add_argument("--name", default="p", help="how the payments are called, before their number")
    given = parser.parse_args()
    till = Till(Database(os.environ["DATABASE_URL"], _POLICY))
    waiting = _brought_in(till, [f"{given.name}{number}" for number in range(given.payments)])
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps({"seconds": _settle(till, waiting, given.rate)}), flush=True)


def _brought_in(till: Till, payment_ids: list[str]) -> list[int]:
    """Bring in a capture of each payment, and return the numbers of the events."""
    events = [an_event(f"evt_{each}", Kind.CAPTURED, each, customer_reference=f"cus_{each}") for each in payment_ids]
    return [
        number
        for first in range(0, len(events), _AT_ONCE)
        for number in till.bring_in(events[first : first + _AT_ONCE])
    ]


def _settle(till: Till, waiting: list[int], rate: float) -> float:
    """Settle one after the other, each when it is due; return how long it took, in seconds."""
    began = time.perf_counter()
    for place, inbox_id in enumerate(waiting):
        due = began + place / rate if rate else began
        time.sleep(max(0.0, due - time.perf_counter()))  # the pace that is asked for
        till.end(inbox_id)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
