"""The trend of a window: its steps, which way it goes, and where it was worst."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from math import sqrt

from payments.flows.report.report import ENDINGS, Direction, Peak, Step, Trend
from payments.ledger.reports.endings import Ended
from payments.ledger.reports.errors import Seen
from payments.ledger.reports.window import Window

LEAST_CHANGE = 0.25
"""A half of the window that differs by less than this share of the earlier one is as the other."""

CHANCE = 2.0
"""So is one that differs by no more than so many times the square root of both together, which chance explains.

Counts of what happens independently scatter by their square root (Poisson), and so does the difference of two by the
root of their sum.
"""


def trend(window: Window, ended: Sequence[Ended], seen: Sequence[Seen]) -> Trend:
    """Return the window in steps, those in which nothing happened among them."""
    endings: Counter[tuple[datetime, str]] = Counter()
    for each in ended:
        endings[each.begins_at, each.ending] += each.number
    errors: Counter[datetime] = Counter()
    for moment in seen:
        errors[moment.begins_at] += moment.number
    steps = tuple(_step(window, begin, endings, errors) for begin in window.steps())
    return Trend(
        step_seconds=window.step.total_seconds(),
        errors=direction(*_halves(seen)),
        ended=direction(*_halves(ended)),
        peak=_peak(steps),
        steps=steps,
    )


def direction(earlier: int, later: int) -> Direction:
    """Return which way it goes from one half to the other of the same length."""
    change = later - earlier
    is_change = abs(change) >= LEAST_CHANGE * earlier and abs(change) > CHANCE * sqrt(earlier + later)
    way = ("rising" if change > 0 else "falling") if is_change else "steady"
    return Direction(direction=way, earlier=earlier, later=later)


def _halves(counts: Sequence[Ended] | Sequence[Seen]) -> tuple[int, int]:
    earlier = sum(each.number for each in counts if not each.is_later)
    return earlier, sum(each.number for each in counts) - earlier


def _step(window: Window, begin: datetime, endings: Counter[tuple[datetime, str]], errors: Counter[datetime]) -> Step:
    first, last = max(begin, window.since), min(begin + window.step, window.until)
    return Step(
        begins_at=begin,
        seconds=(last - first).total_seconds(),
        by_ending={ending: endings[begin, ending] for ending in ENDINGS},
        errors=errors[begin],
    )


def _peak(steps: Sequence[Step]) -> Peak | None:
    worst = max(steps, key=lambda step: step.errors)
    return Peak(begins_at=worst.begins_at, errors=worst.errors) if worst.errors else None
