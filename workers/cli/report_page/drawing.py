"""What a chart is made of, in the units of its SVG's viewBox, and the scales that it is drawn to. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil, log10

import msgspec

WIDTH = 960.0
"""Of every chart; the page makes it as wide as there is room."""

RIGHT = 10.0
_MOST_MARKS = 9
_MARK_SECONDS = (60, 300, 900, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)
_DAY = 86_400


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle. `kind` gives it its colour, `title` what a pointer that rests on it is told."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A text; `anchor` says which of its ends is at `x`."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn: from the left edge on, lines of a grid at these heights, boxes, and labels."""

    height: float
    left: float
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    lines: tuple[float, ...] = ()


def ticks(most: int) -> list[int]:
    """Return even numbers of a scale from 0 to at least `most`: four or fewer of them, and whole."""
    rough = max(1, most) / 3
    size = 10.0 ** int(log10(rough)) if rough >= 1 else 1.0
    tick = next(int(size * each) for each in (1, 2, 5, 10) if size * each >= rough)
    return [tick * place for place in range(ceil(max(1, most) / tick) + 1)]


def marks(since: datetime, until: datetime) -> Iterator[tuple[float, str]]:
    """Yield where on the clock to write, as a share of the window, and what: round times in UTC, nine at most."""
    seconds = (until - since).total_seconds()
    size = next((each for each in _MARK_SECONDS if seconds / each <= _MOST_MARKS), _MARK_SECONDS[-1])
    first = datetime.fromtimestamp(ceil(since.timestamp() / size) * size, UTC)
    while first <= until:
        yield (first - since).total_seconds() / seconds, f"{first:%d %b}" if size >= _DAY else f"{first:%H:%M}"
        first += timedelta(seconds=size)


def clock(since: datetime, until: datetime, left: float, y: float) -> tuple[Label, ...]:
    """Return the labels of a clock along the bottom. Those that would be cut off at an edge are left out."""
    room = WIDTH - left - RIGHT
    return tuple(
        Label(x=round(left + room * share, 1), y=y, text=text)
        for share, text in marks(since, until)
        if room * share <= room - _HALF_LABEL
    )


_HALF_LABEL = 14.0
