"""What breakers did within a window, as their changes tell it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

from payments.flows.report.report import BreakerHistory, BreakerReport, Span
from payments.ledger.reports.window import Window
from payments.resilience.breaker_state import BreakerEvent, State

KEPT_CHANGES = 1000
"""Redis keeps at least so many of the latest changes (`lua/breaker.lua`): a history that is shorter is whole."""


def history(window: Window, changes: Sequence[BreakerEvent]) -> BreakerHistory:
    """Return the breakers that were not closed all the time. `changes` are all that Redis knows, in any order."""
    ordered = sorted(changes, key=lambda change: (change.name, change.at, change.generation))
    complete = len(changes) < KEPT_CHANGES or min(map(_at, changes)) <= window.since
    told = (_breaker(name, window, list(own)) for name, own in groupby(ordered, key=lambda change: change.name))
    return BreakerHistory(complete=complete, breakers=tuple(each for each in told if each.spans or each.openings))


def _breaker(name: str, window: Window, changes: Sequence[BreakerEvent]) -> BreakerReport:
    before_until = [change for change in changes if _at(change) < window.until]
    spans = tuple(_spans(window, before_until))
    return BreakerReport(
        breaker=name,
        openings=sum(change.now == State.OPEN and _at(change) >= window.since for change in before_until),
        open_seconds=_seconds(spans, State.OPEN),
        half_open_seconds=_seconds(spans, State.HALF_OPEN),
        state=before_until[-1].now if before_until else changes[0].was,
        spans=spans,
    )


def _spans(window: Window, changes: Sequence[BreakerEvent]) -> Iterator[Span]:
    """Yield when it was open or half-open. Before the first change it was what that change says."""
    states = [(window.since, change.was) for change in changes[:1]]
    states += [(_at(change), change.now) for change in changes]
    states.append((window.until, State.CLOSED))
    for (begin, state), (end, _) in pairwise(states):
        first = max(begin, window.since)
        if state != State.CLOSED and first < end:
            yield Span(state=state, since=first, until=end)


def _seconds(spans: Sequence[Span], state: State) -> float:
    total = sum((span.until - span.since for span in spans if span.state == state), timedelta())
    return round(total.total_seconds(), 3)


def _at(change: BreakerEvent) -> datetime:
    return datetime.fromtimestamp(change.at, UTC)
