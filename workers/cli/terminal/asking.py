"""Asking before something is changed."""

import sys
from collections.abc import Callable

import typer

from workers.cli.terminal.refusal import cannot, remark, wrong


def ask(meant: str, *, yes: bool, show: Callable[[], None] = lambda: None) -> None:
    """Go on only after a yes: from `--yes`, or from a person at a terminal. `meant` is what would be done.

    `show` tells more about it before the question, and to those who have said yes already.
    """
    if not yes and not at_terminal():
        wrong(f"nobody is here to be asked whether to {meant}: say --yes; nothing was changed")
    show()
    if not yes and not is_sure(f"{meant[0].upper()}{meant[1:]}?"):
        cannot("nothing was changed")


def is_sure(question: str) -> bool:
    """Return whether the person says yes."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        cannot("nothing was changed")


def at_terminal() -> bool:
    """Return whether a person can answer."""
    return sys.stdin.isatty()


def would(meant: str) -> None:
    """Say what a dry run would do."""
    remark(f"would {meant}")


def done(meant: str) -> None:
    """Say what was done."""
    remark(f"done: {meant}")
