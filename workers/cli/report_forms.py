"""How the numbers of a report are written, on the page and at the terminal alike."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from workers.cli.terminal.tables import many, plain
from workers.cli.terminal.times import moment, span

NOTHING = "n/a"
"""What is written where there was nothing to count for."""

_LEAST = 0.0005
"""A share below it would be written as 0.0 %, and one as near to 1 as 100.0 %."""


def written(value: Any, form: str = "number") -> str:  # noqa: ANN401 - whatever a report holds
    """Return a value of a report in one of `FORMS`."""
    if form == "any":
        return "all" if value is None else plain(value)
    return NOTHING if value is None else FORMS[form](value)


def looked_up(told: Mapping[str, Any] | Sequence[Any], path: str) -> Any:  # noqa: ANN401 - likewise
    """Return what is at `path`: keys of objects and places in lists, with points between. Raises KeyError, IndexError.

    A key may hold points itself, as a provider's own codes may: it is then written as in a URL, a point as `%2E`.
    """
    found: Any = told
    for part in path.split("."):
        key = unquote(part)
        found = found[int(part)] if isinstance(found, list | tuple) else found[key]
    return found


def rate(share: float) -> str:
    """Return a share between 0 and 1 as a percentage: never 100 % where something is missing, or 0 % where not."""
    if 0 < share < _LEAST:
        return "< 0.1 %"
    if 1 - _LEAST < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


def seconds(told: float) -> str:
    """Return a span: small ones exactly, since half a second matters there."""
    return f"{told:.2f} s" if told < 1 else span(told)


def length(told: float) -> str:
    """Return a round span in its largest whole unit."""
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, size = next((unit, size) for unit, size in units if told >= size)
    return many(round(told / size), unit)


def amount(told: str) -> str:
    """Return a decimal amount with its thousands apart."""
    whole, point, decimals = told.partition(".")
    return f"{int(whole):,}{point}{decimals}"


def on_clock(at: str | datetime) -> str:
    """Return a moment to the minute, in UTC."""
    return moment(at)[:16]


FORMS: Mapping[str, Callable[[Any], str]] = {
    "number": lambda told: f"{told:,}",
    "rate": rate,
    "per_hour": lambda told: f"{told:,.1f}",
    "seconds": seconds,
    "length": length,
    "amount": amount,
    "moment": moment,
    "clock": on_clock,
    "text": plain,
    "words": lambda told: plain(told).replace("_", " "),
}
