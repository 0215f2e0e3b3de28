"""The charts of a report: how events ended, errors, what became of failures, and when breakers were open. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from payments.flows.report.report import (
    ENDINGS,
    BreakerHistory,
    BreakerReport,
    CategoryErrors,
    RetryOutcome,
    Span,
    Trend,
)
from workers.cli.report_page.drawing import RIGHT, WIDTH, Box, Chart, Label, clock, ticks

OUTCOMES = ("took_effect", "superseded", "unfinished", "dead")
"""What an event that failed may be now, in the order of their colours."""

_LEFT = 56.0  # room for the numbers of a scale
_TOP = 10.0
_BOTTOM = 24.0  # room for the clock
_FREE = 0.16  # of each step
_NAMES = 240.0  # room for the names of rows
_NUMBERS = 76.0  # and for their sums
_ROW = 30.0
_BAR = 16.0
_LEAST_WIDTH = 2.0  # what was for seconds of a day is seen all the same


def endings_chart(trend: Trend) -> Chart:
    """Return how events ended, a stack a step: as they should from the ground up, and what failed on top."""
    return _stacks(trend, [{ending: step.by_ending[ending] for ending in ENDINGS} for step in trend.steps], 220.0)


def errors_chart(trend: Trend) -> Chart:
    """Return the errors of each step."""
    return _stacks(trend, [{"errors": step.errors} for step in trend.steps], 120.0)


def categories_chart(categories: Sequence[CategoryErrors]) -> Chart:
    """Return the errors of each category, a row each."""
    return _rows([(each.category, {each.category: each.errors}) for each in categories])


def recovery_chart(outcomes: Sequence[RetryOutcome]) -> Chart:
    """Return what became of the events that met each type of failure, a row each."""
    parts = ((str(each.failure_type), {name: int(getattr(each, name)) for name in OUTCOMES}) for each in outcomes)
    return _rows(list(parts))


def breakers_chart(history: BreakerHistory, since: datetime, until: datetime) -> Chart:
    """Return when breakers were open or half-open, a row each."""
    rows = list(enumerate(history.breakers))
    bottom = _TOP + len(rows) * _ROW
    names = tuple(_name(each.breaker, place) for place, each in rows)
    return Chart(
        height=bottom + _BOTTOM,
        left=_NAMES,
        boxes=tuple(chain.from_iterable(_spans(each, place, since, until) for place, each in rows)),
        labels=names + clock(since, until, _NAMES, bottom + _BOTTOM - 6),
    )


def _stacks(trend: Trend, stacks: Sequence[Mapping[str, int]], height: float) -> Chart:
    scale = ticks(max(sum(stack.values()) for stack in stacks))
    ground = height - _BOTTOM
    unit = (ground - _TOP) / scale[-1]
    lines = tuple(round(ground - unit * tick, 1) for tick in scale)
    numbers = tuple(
        Label(x=_LEFT - 8, y=y + 4, text=f"{tick:,}", anchor="end") for tick, y in zip(scale, lines, strict=True)
    )
    until = trend.steps[-1].begins_at.timestamp() + trend.step_seconds
    end = datetime.fromtimestamp(until, trend.steps[-1].begins_at.tzinfo)
    return Chart(
        height=height,
        left=_LEFT,
        boxes=tuple(_stacked(trend, stacks, ground, unit)),
        labels=numbers + clock(trend.steps[0].begins_at, end, _LEFT, height - 6),
        lines=lines,
    )


def _stacked(trend: Trend, stacks: Sequence[Mapping[str, int]], ground: float, unit: float) -> Iterator[Box]:
    width = (WIDTH - _LEFT - RIGHT) / len(stacks)
    for place, (step, stack) in enumerate(zip(trend.steps, stacks, strict=True)):
        y = ground
        for kind, number in stack.items():
            y -= unit * number
            if number:
                yield Box(
                    x=round(_LEFT + width * (place + _FREE / 2), 1),
                    y=round(y, 1),
                    width=round(width * (1 - _FREE), 1),
                    height=round(unit * number, 2),
                    kind=kind,
                    title=f"{step.begins_at:%d %b %H:%M}: {number:,} {kind}",
                )


def _rows(rows: Sequence[tuple[str, Mapping[str, int]]]) -> Chart:
    most = max((sum(parts.values()) for _, parts in rows), default=1)
    unit = (WIDTH - _NAMES - _NUMBERS) / max(1, most)
    boxes, labels = [], []
    for place, (name, parts) in enumerate(rows):
        labels += [_name(name, place), _sum(sum(parts.values()), place, unit)]
        boxes += list(_lined_up(name, parts, place, unit))
    return Chart(height=_TOP + len(rows) * _ROW, left=_NAMES, boxes=tuple(boxes), labels=tuple(labels))


def _lined_up(name: str, parts: Mapping[str, int], place: int, unit: float) -> Iterator[Box]:
    x = _NAMES
    for kind, number in parts.items():
        if number:
            title = f"{_words(name)}: {number:,} {_words(kind)}"
            y, width = _TOP + place * _ROW, round(unit * number, 2)
            yield Box(x=round(x, 2), y=y, width=width, height=_BAR, kind=kind, title=title)
        x += unit * number


def _name(name: str, place: int) -> Label:
    return Label(x=_NAMES - 10, y=_TOP + place * _ROW + _BAR - 3, text=_words(name), anchor="end")


def _sum(number: int, place: int, unit: float) -> Label:
    x = round(_NAMES + unit * number + 8, 1)
    return Label(x=x, y=_TOP + place * _ROW + _BAR - 3, text=f"{number:,}", anchor="start")


def _spans(told: BreakerReport, place: int, since: datetime, until: datetime) -> Iterator[Box]:
    y, room = _TOP + place * _ROW, WIDTH - _NAMES - RIGHT
    yield Box(x=_NAMES, y=y, width=room, height=_BAR, kind="closed", title=f"{told.breaker}: closed")
    for each in told.spans:
        begin, end = ((at - since) / (until - since) * room for at in (each.since, each.until))
        width = max(_LEAST_WIDTH, end - begin)
        x = min(begin, room - width)
        yield Box(
            x=round(_NAMES + x, 2), y=y, width=round(width, 2), height=_BAR, kind=each.state, title=_told(told, each)
        )


def _told(told: BreakerReport, span: Span) -> str:
    return f"{told.breaker}: {_words(span.state)} from {span.since:%d %b %H:%M:%S} to {span.until:%H:%M:%S}"


def _words(name: str) -> str:
    return name.replace("_", " ")
