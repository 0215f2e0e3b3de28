"""The catalogue of log events against the code that tells them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.log_catalogue import as_table, renewed
from payments.log_events import EVERYWHERE, LOG_EVENTS, teller

ROOT = Path(__file__).parents[3]
LEVELS = {"debug", "info", "warning", "error", "critical"}


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Yield each call by which an event is told by its name: where, the name, and the fields that can be read there."""
    for file in (file for room in ("payments", "tasks", "workers") for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and _tells(node):
                assert isinstance(node.args[0], ast.Constant)
                fields = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                yield f"{file.relative_to(ROOT)}:{node.lineno}", str(node.args[0].value), fields


def _tells(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    return name in {"tell", "_tell", "_told"} and bool(call.args) and isinstance(call.args[0], ast.Constant)


def test_whatever_is_told_is_in_the_catalogue_with_its_fields() -> None:
    told = list(calls())
    assert len(told) > 50
    unknown = [(where, name) for where, name, _fields in told if name not in LOG_EVENTS]
    assert unknown == []
    undeclared = {
        (where, name): missing
        for where, name, fields in told
        if (missing := fields - set(LOG_EVENTS[name].fields.split()) - set(EVERYWHERE))
    }
    assert undeclared == {}, "name these fields in payments/log_events.py"


def test_whatever_is_in_the_catalogue_is_told_somewhere() -> None:
    rooms = [ROOT / room for room in ("payments", "tasks", "workers")]
    files = [file for room in rooms for file in room.rglob("*.py") if file.name != "log_events.py"]
    code = "\n".join(file.read_text() for file in files)
    assert [name for name in LOG_EVENTS if f'"{name}"' not in code] == []


@pytest.mark.parametrize("name", LOG_EVENTS)
def test_each_event_has_a_level_and_says_what_it_means_in_a_sentence(name: str) -> None:
    event = LOG_EVENTS[name]
    assert event.level in LEVELS
    assert event.meaning[0].isupper() or event.meaning.startswith("librdkafka")
    assert event.meaning.endswith(".")
    assert len(event.fields.split()) == len(set(event.fields.split()))
    assert not set(EVERYWHERE) & set(event.fields.split())


def test_an_unknown_name_is_a_bug() -> None:
    with pytest.raises(KeyError):
        teller(print)("nobody_knows_this")


def test_the_page_of_the_catalogue_is_current() -> None:
    page = (ROOT / "docs" / "logs.md").read_text()
    assert page == renewed(page), "python -m payments.log_catalogue docs/logs.md"
    assert page.endswith(as_table())
