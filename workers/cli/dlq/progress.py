"""A bar for what takes a while; where nobody watches there is none, and no empty line in its place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from workers.cli.terminal.console import error_console


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Lend what is to be told of each advance."""
    console = error_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda count: progress.update(bar, advance=count)
