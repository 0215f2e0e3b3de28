"""How long it takes to find something among many dead letters: pages under every filter, groups, statistics.

    python -m benchmarks.dead_letters [--count 100000] [--repeats 30] [--json]

measures on a PostgreSQL of its own, straight after the letters were put in and again after ANALYZE, and prints the
median and the slowest twentieth of each in milliseconds; with --json the slowest median of each kind. Each question is
repeated on one connection, so that a plan which PostgreSQL keeps for a statement that it has seen often counts too.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.graveyard import DAYS, fill
from payments.ledger.database import Database, DatabasePolicy
from payments.ledger.dead_letters.choice import OPEN, Choice
from payments.ledger.dead_letters.search import Search
from payments.ledger.dead_letters.statistics import DeadLetterStatistics
from payments.ledger.schema import migrate
from workers.embedded.postgres import Postgres

_PAGE, _GROUPS = 50, 20
_POLICY = DatabasePolicy(pool_size=1, connect_timeout_seconds=5, statement_timeout_ms=30_000)
_ALMOST_ALL_DAYS = DAYS - 1

Taken = dict[str, list[float]]
"""Question → the milliseconds of each repetition."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with Postgres() as server:
        migrate(server.url)
        fill(server.url, given.count)
        fresh = _before_any_analyze(server.url, given.repeats)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ANALYZE")
        analysed = measure(server.url, given.repeats)
    if given.json:
        print(json.dumps({kind: _slowest(kind, fresh, analysed) for kind in ("list", "groups", "stats")}))
    else:
        Console().print(_table(given.count, fresh, analysed))


def _before_any_analyze(url: str, repeats: int) -> Taken:
    """Measure what a wave of burials leaves, without autovacuum coming in between."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("dead_letters", "dead_letter_texts"):
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = FALSE)")
    return measure(url, repeats)


def measure(url: str, repeats: int) -> Taken:
    """Ask everything that is asked."""
    database = Database(url, _POLICY)
    try:
        return {name: _taken(ask, repeats) for name, ask in _questions(database)}
    finally:
        database.close()


def _taken(ask: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _questions(database: Database) -> Iterator[tuple[str, Callable[[], object]]]:
    search, numbers = Search(database), DeadLetterStatistics(database)
    choices = _choices(database)
    for name, choice in choices.items():
        yield f"list {name}", partial(search.page, choice, _PAGE)
    for name in ("", "--provider", "--state parked", "--contains frequent"):
        after = search.page(choices[name], _PAGE).after
        yield f"list {name}, second page", partial(search.page, choices[name], _PAGE, after)
    for name in ("", "--provider", "--state parked", "--since yesterday", "--contains frequent", "--contains rare"):
        yield f"groups {name}", partial(search.groups, choices[name], _GROUPS)
        yield f"stats {name}", partial(numbers.read, choices[name])


def _choices(database: Database) -> dict[str, Choice]:
    """Return every filter alone and some together. What is rare stands with the oldest letters, which are read last."""
    now = datetime.now(UTC)
    reasons, fingerprints = _ranked(database, "reason"), _ranked(database, "fingerprint")
    payment, event_id = _oldest(database)
    frequent, rare = Choice(reason=reasons[0]), Choice(reason=reasons[-1])
    sought, in_vain = Choice(contains=event_id), Choice(contains="no such words at all")
    return {
        "": Choice(),
        "--provider": Choice(provider="stripe"),
        "--reason frequent": frequent,
        "--reason rare": rare,
        "--reason absent": Choice(reason="no_such_reason"),
        "--category": Choice(category="transient"),
        **{f"--state {state}": Choice(states=(state,)) for state in _STATES},
        "--payment provider:id": Choice(payment=payment),
        "--payment id": Choice(payment=payment.partition(":")[2]),
        "--payment absent": Choice(payment="no_such_payment"),
        "--since yesterday": Choice(since=now - timedelta(days=1)),
        "--since the second day": Choice(since=now - timedelta(days=_ALMOST_ALL_DAYS)),
        "--until the second day": Choice(until=now - timedelta(days=_ALMOST_ALL_DAYS)),
        "--until the day before all": Choice(until=now - timedelta(days=DAYS + 1)),
        "--older-than almost all": Choice(older_than_seconds=_ALMOST_ALL_DAYS * 86_400.0),
        "--contains frequent": Choice(contains="Coffee"),
        "--contains rare": sought,
        "--contains absent": in_vain,
        "--contains absent, short": Choice(contains="qzx"),
        "--contains in a message": Choice(contains="(Request 00"),
        "--fingerprint frequent": Choice(fingerprint=fingerprints[0]),
        "--fingerprint rare": Choice(fingerprint=fingerprints[-1]),
        "--id": Choice(ids=(17,)),
        "--id, fifty times": Choice(ids=tuple(range(1000, 100_000, 1980))),
        "--provider --state --reason frequent": _with(frequent, provider="stripe", states=OPEN),
        "--provider --state --reason rare": _with(rare, provider="stripe", states=OPEN),
        "--provider --category --since --until": Choice(
            provider="paypal", category="transient", since=now - timedelta(days=38), until=now - timedelta(days=37)
        ),
        "--state --contains rare": _with(sought, states=OPEN),
        "--provider --reason --contains absent": _with(in_vain, provider="stripe", reason=reasons[0]),
        "--reason rare --contains frequent": _with(rare, contains="coffee"),
        "--fingerprint --older-than": Choice(
            fingerprint=fingerprints[0], older_than_seconds=_ALMOST_ALL_DAYS * 86_400.0
        ),
    }


_STATES = ("pending", "replaying", "resolved", "parked", "discarded")


def _with(choice: Choice, **told: Any) -> Choice:  # noqa: ANN401 - any filter
    return msgspec.structs.replace(choice, **told)


def _ranked(database: Database, column: str) -> list[Any]:
    """Return the values of a column, the most frequent first."""
    rows = database.rows(f"SELECT {column} FROM dead_letters GROUP BY 1 ORDER BY count(*) DESC, 1")  # noqa: S608 - ours
    return [row[0] for row in rows]


def _oldest(database: Database) -> tuple[str, str]:
    """Return payment and event of the oldest letter that has them."""
    row = database.row("SELECT ordering_key, event_id FROM dead_letters WHERE inbox_id IS NOT NULL ORDER BY id LIMIT 1")
    assert row is not None
    return row[0], row[1]


def _slowest(kind: str, *measured: Taken) -> dict[str, Any]:
    """Return the question of that kind with the slowest median."""
    medians = [(statistics.median(taken), name) for each in measured for name, taken in each.items()]
    milliseconds, question = max(each for each in medians if each[1].startswith(kind))
    return {"question": question, "milliseconds": milliseconds}


def _table(count: int, fresh: Taken, analysed: Taken) -> Table:
    told = Table(title=f"{count:,} dead letters: milliseconds, median and 95th percentile")
    told.add_column("", no_wrap=True)
    for heading in ("fresh", "p95", "after ANALYZE", "p95"):
        told.add_column(heading, justify="right")
    for name, taken in fresh.items():
        told.add_row(name, *_figures(taken), *_figures(analysed[name]))
    return told


def _figures(taken: list[float]) -> tuple[str, str]:
    return f"{statistics.median(taken):.1f}", f"{statistics.quantiles(taken, n=20)[-1]:.1f}"


if __name__ == "__main__":
    main()
