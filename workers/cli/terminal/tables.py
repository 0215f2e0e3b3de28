"""Tables and texts for people."""

from collections.abc import Iterable, Mapping
from itertools import islice

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workers.cli.terminal.console import answer_console, error_console

_LEAST_COLUMNS = 170


def wide_console(*, answers: bool = True) -> Console:
    """Return the console for answers, or remarks, never so narrow that words are torn: a pipe counts as 80 columns."""
    console = answer_console() if answers else error_console()
    console.width = max(console.width, _LEAST_COLUMNS)
    return console


def table(title: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return rows under their heads."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(escape(plain(cell)) for cell in row))
    return made


def pairs(title: str, told: Mapping[str, object]) -> Table:
    """Return names with their values; what is not known is left out."""
    made = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in told.items():
        if value not in (None, ""):
            made.add_row(name.replace("_", " "), escape(plain(value)))
    return made


def counts(told: Mapping[str, int], most: int | None = None) -> str:
    """Return counts on one line, in their order; those after `most` as one sum."""
    shown = dict(islice(told.items(), most))
    parts = [f"{number:,} {plain(name)}" for name, number in shown.items()]
    if others := len(told) - len(shown):
        parts.append(f"{sum(told.values()) - sum(shown.values()):,} of {others:,} others")
    return ", ".join(parts)


def largest_first(told: Mapping[str, int]) -> dict[str, int]:
    """Return the counts in the order of their size."""
    return dict(sorted(told.items(), key=lambda item: (-item[1], item[0])))


def many(number: int, what: str = "dead letter") -> str:
    """Return so many of them, in words."""
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def plain(told: object) -> str:
    """Return text without what would steer a terminal: a payload may hold anything."""
    text = str(told)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else repr(each)[1:-1] for each in text)
