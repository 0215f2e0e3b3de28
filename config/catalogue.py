"""The settings as text: `python -m config.catalogue env` prints `.env.example`, `markdown` docs/configuration.md."""

import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

import msgspec
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from config.settings import GROUPS, Group


class Form(StrEnum):
    """What the catalogue can be printed as."""

    ENV = "env"
    MARKDOWN = "markdown"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: its variables, of which the first wins, and its default as one would write it, empty for none."""

    names: tuple[str, ...]
    default: str
    about: str


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One group of settings."""

    title: str
    entries: tuple[Entry, ...]


def sections() -> list[Section]:
    """Return every group with its settings, in the order in which they are declared."""
    return [Section(title=_title(group), entries=tuple(_entries(group))) for group in GROUPS]


def environment_names() -> frozenset[str]:
    """Return every variable that is read, aliases too."""
    return frozenset(name for section in sections() for entry in section.entries for name in entry.names)


def as_env() -> str:
    """Return `.env.example`: every setting, commented out, at its default."""
    return "\n".join([_ENV_HEAD, *map(_env_section, sections())])


def as_markdown() -> str:
    """Return docs/configuration.md."""
    return "\n".join([_MARKDOWN_HEAD, *map(_markdown_section, sections())])


def _title(group: type[Group]) -> str:
    assert group.__doc__ is not None
    return group.__doc__.strip()


def _entries(group: type[Group]) -> Iterator[Entry]:
    for field in group.model_fields.values():
        yield Entry(names=_names(field), default=_written(field.default), about=_about(field))


def _names(field: FieldInfo) -> tuple[str, ...]:
    assert isinstance(field.validation_alias, AliasChoices)
    return tuple(str(name) for name in field.validation_alias.choices)


def _written(default: Any) -> str:  # noqa: ANN401 - a default of any type
    """Return the default as one would write it in the environment."""
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()  # the catalogue's own, which is no secret
    if isinstance(default, float):
        return f"{default:g}"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _about(field: FieldInfo) -> str:
    """Return the description, with the words that are allowed where only some are."""
    assert field.description is not None
    words = _words(field.annotation)
    return f"{field.description} One of: {', '.join(words)}." if words else field.description


def _words(annotation: Any) -> tuple[str, ...]:  # noqa: ANN401 - a type of any form
    """Return the values of a `Literal`, also of an optional one."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((words for part in get_args(annotation) if (words := _words(part))), ())


def _env_section(section: Section) -> str:
    return "\n".join([f"\n# ---- {section.title}", *map(_env_entry, section.entries)])


def _env_entry(entry: Entry) -> str:
    other = f" Also read: {', '.join(entry.names[1:])}." if entry.names[1:] else ""
    return f"\n# {entry.about}{other}\n#{entry.names[0]}={entry.default}"


def _markdown_section(section: Section) -> str:
    head = f"\n## {section.title.removesuffix('.')}\n\n| variable | default | meaning |\n|---|---|---|"
    return "\n".join([head, *map(_markdown_row, section.entries)])


def _markdown_row(entry: Entry) -> str:
    names = " or ".join(f"`{name}`" for name in entry.names)
    default = f"`{entry.default}`" if entry.default else ""
    return f"| {names} | {default} | {entry.about.replace('|', chr(92) + '|')} |"


_ENV_HEAD = """\
# Everything that can be set, at its default. Copy this file to `.env`, and take away the # of what you change.
# Printed by `python -m config.catalogue env`; a test compares the two."""

_MARKDOWN_HEAD = """\
# Configuration

Every setting is an environment variable, or a line of a file `.env` in the folder where the process starts. A variable
wins over the file, an empty value counts as not set, and where a setting has two names the first one wins. A wrong
value ends the process at its start with words that name the variable; `payferry` then exits with 2. `payferry check`
tries every server that is named here.

Durations carry their unit in the name. A process reads its settings once, at its start.

This page is printed by `python -m config.catalogue markdown`; a test compares the two."""

_PRINTED: dict[Form, Callable[[], str]] = {Form.ENV: as_env, Form.MARKDOWN: as_markdown}


def main(arguments: list[str]) -> int:
    """Print the form that is asked for; return the exit code."""
    if len(arguments) != 1 or arguments[0] not in set(Form):
        sys.stderr.write(f"python -m config.catalogue {' | '.join(Form)}\n")
        return 2
    sys.stdout.write(_PRINTED[Form(arguments[0])]() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
