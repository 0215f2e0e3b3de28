"""What the runbook and the alerts tell people to type exists, and what they link to is there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from workers.cli.main import app

_ROOT = Path(__file__).parents[3]
_PAGES = [_ROOT / "docs" / "runbook.md", _ROOT / "docs" / "monitoring.md"]
_FILES = [*_PAGES, *sorted((_ROOT / "deploy/prometheus/alerts").glob("*.yml"))]
_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands_in(text: str) -> set[str]:
    """Return the commands of ours in blocks, between backticks, and behind `Type:`."""
    in_blocks = [found for block in _BLOCK.findall(text) for found in re.findall(r"\bpayferry [a-z][^#\n]*", block)]
    in_lines = re.findall(r"`(payferry [a-z][^`]*)`", _BLOCK.sub("", text))
    in_alerts = re.findall(r'Type: (payferry [^"]+)"', text)
    return {each.strip() for each in [*in_blocks, *in_lines, *in_alerts]}


@pytest.mark.parametrize("command", sorted(set[str]().union(*(commands_in(file.read_text()) for file in _FILES))))
def test_what_people_are_told_to_type_can_be_typed(command: str) -> None:
    assert wrong_in(command) == ""


@pytest.mark.parametrize("command", ["payferry dlq lost", "payferry dlq list --colour red", "payferry breakers reset"])
def test_what_cannot_be_typed_would_be_noticed(command: str) -> None:
    assert wrong_in(command) != ""


def test_every_page_and_every_file_of_alerts_says_what_to_type() -> None:
    assert [file.name for file in _FILES if not commands_in(file.read_text())] == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked.read_text()), f"{target}#{anchor}"


def wrong_in(line: str) -> str:
    """Return what our command line has against a command, which is not run; empty for nothing."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands") and words:
        return f"no such verb: {words[0]}"
    try:
        command.make_context("payferry", words)
    except TyperException as error:
        return repr(error)
    return ""


def _anchors(text: str) -> set[str]:
    """Return what each heading can be linked by, as those who show Markdown make it."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
