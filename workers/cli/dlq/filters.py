"""The filters of every verb: which dead letters are meant."""

import inspect
import re
import shlex
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any

import msgspec
import typer

from payments.event import Provider
from payments.ledger.dead_letters.choice import NO_PROVIDER, Choice
from workers.cli.dlq.options import checked_text
from workers.cli.terminal.refusal import one_of, wrong
from workers.cli.terminal.times import moment_of, seconds_in

STATES = ("pending", "replaying", "resolved", "parked", "discarded")
CATEGORIES = ("transient", "unknown", "permanent")
PROVIDERS = (*(str(each) for each in Provider), NO_PROVIDER)
MOST_IDS = 100_000
_LARGEST_ID = 2**63 - 1


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """What the filters come to. `named` are the ids that were told one by one, and not as a range."""

    choice: Choice
    named: tuple[int, ...] = ()

    def with_states(self, *states: str) -> Choice:
        """Return the choice within these states."""
        wanted = tuple(state for state in self.choice.states or states if state in states)
        return msgspec.structs.replace(self.choice, states=wanted)


def filtered(verb: Callable[..., None]) -> Callable[..., None]:
    """Give `verb` every filter as an option; it gets what they come to as its argument `meant`.

    A filter that the verb declares itself, because it means something else there, is left to it.
    """
    own = [each for each in inspect.signature(verb, eval_str=True).parameters.values() if each.name != "meant"]
    ours = {name: each for name, each in _FILTERS.items() if name not in {each.name for each in own}}

    @wraps(verb)
    def command(**told: Any) -> None:  # noqa: ANN401 - options of any type
        filters = {name: told.pop(name) for name in ours}
        verb(meant=meant_by(**filters), **told)

    command.__signature__ = inspect.Signature([*own, *ours.values()])  # type: ignore[attr-defined]
    return command


def meant_by(**told: Any) -> Meant:  # noqa: ANN401 - options of any type
    """Return what the options, by the names of their parameters, come to; wrong ones end the command with a line."""
    found = {name: _READ[name](value) for name, value in told.items() if value not in (None, [], ())}
    ids, named = found.pop("ids", ((), ()))
    choice = Choice(**found, ids=ids)
    if choice.since and choice.until and choice.since >= choice.until:
        wrong("--since is not before --until, so nothing can be meant; exchange them?")
    return Meant(choice=choice, named=named)


def need_filter(meant: Meant, *, everything: bool) -> None:
    """Refuse to change all that there is, unless that was said; and to guess which of both was meant."""
    if meant.choice.is_all and not everything:
        wrong("this would change every dead letter: name at least one filter, or --all")
    if everything and not meant.choice.is_all:
        wrong("--all goes with no filter: leave out one or the other")


def in_words(choice: Choice) -> str:
    """Return the filters as one would type them; `--all` where there are none."""
    told = msgspec.to_builtins(choice)
    words = [f"--{_SPELT.get(name, name).replace('_', '-')} {_written(value)}" for name, value in told.items()]
    return " ".join(words) or "--all"


def ids_in(words: Iterable[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return all ids that the words name, and those named one by one: `7`, `1,2,3`, `5-9`."""
    found: set[int] = set()
    named: set[int] = set()
    for word in (part.strip() for told in words for part in told.split(",")):
        first, last = _range(word)
        if first == last:
            named.add(first)
        if len(found) + last - first >= MOST_IDS:
            wrong(f"--id names more than {MOST_IDS:,} dead letters; use another filter, such as --since")
        found.update(range(first, last + 1))
    return tuple(sorted(found)), tuple(sorted(named))


def _range(word: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,19})(?:-(\d{1,19}))?", word, re.ASCII)
    if match is None:
        wrong(f"--id {word!r} is no number; write 7, or 1,2,3, or 5-9, as `payferry dlq list` shows them")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= _LARGEST_ID:
        wrong(f"--id {word!r} names no dead letter; numbers begin with 1, and the smaller one comes first")
    return first, last


def _written(value: Any) -> str:  # noqa: ANN401 - a value of any filter
    if isinstance(value, tuple | list):
        return ",".join(map(str, value[:10])) + (",…" if len(value) > 10 else "")  # noqa: PLR2004 - a line holds no more
    return f"{value:g}s" if isinstance(value, float) else shlex.quote(str(value))


def _text(option: str) -> Callable[[str], str]:
    return lambda told: checked_text(option, told)


def _by(option: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader whose ValueError ends the command with a line that names the option."""

    def reader(told: str) -> Any:  # noqa: ANN401 - whatever is read
        try:
            return read(told)
        except ValueError as error:
            wrong(f"{option} {told!r} {error}")

    return reader


def _fingerprint(told: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", told.lower(), re.ASCII):
        raise ValueError("is no fingerprint; those are 16 digits from 0 to f: see `payferry dlq groups`")
    return told.lower()


def _states(told: list[str]) -> tuple[str, ...]:
    words = (word.strip() for each in told for word in each.split(","))
    return tuple(dict.fromkeys(one_of("--state", word, STATES) for word in words))


_READ: dict[str, Callable[[Any], Any]] = {
    "provider": lambda told: one_of("--provider", told, PROVIDERS),
    "reason": _text("--reason"),
    "category": lambda told: one_of("--category", told, CATEGORIES),
    "states": _states,
    "payment": _text("--payment"),
    "since": _by("--since", moment_of),
    "until": _by("--until", moment_of),
    "older_than_seconds": _by("--older-than", seconds_in),
    "contains": _text("--contains"),
    "fingerprint": _by("--fingerprint", _fingerprint),
    "ids": ids_in,
}

_SPELT = {"states": "state", "ids": "id", "older_than_seconds": "older_than"}


def _option(name: str, kind: Any, flag: str, metavar: str, about: str) -> inspect.Parameter:  # noqa: ANN401 - a type
    option = typer.Option(flag, help=about, metavar=metavar, rich_help_panel="Filters; each that is told must hold")
    annotation = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


_Text = str | None
_Texts = list[str] | None
_FILTERS = {
    each.name: each
    for each in (
        _option("provider", _Text, "--provider", "NAME", f"One of {', '.join(PROVIDERS)}."),
        _option("reason", _Text, "--reason", "CODE", "The code of what ended it, such as http_503."),
        _option("category", _Text, "--category", "NAME", f"One of {', '.join(CATEGORIES)}."),
        _option("states", _Texts, "--state", "NAME", f"One of {', '.join(STATES)}; may be told again."),
        _option("payment", _Text, "--payment", "NAME", "provider:id, or an id at whatever provider."),
        _option("since", _Text, "--since", "TIME", "First failed then or later: 2026-01-05, 2026-01-05T12:30Z."),
        _option("until", _Text, "--until", "TIME", "First failed before then."),
        _option("older_than_seconds", _Text, "--older-than", "SPAN", "First failed longer ago: 30s, 15m, 2h, 3d."),
        _option("contains", _Text, "--contains", "TEXT", "In its message or the first 64 KiB of its payload."),
        _option("fingerprint", _Text, "--fingerprint", "HEX", "Of one group, as `payferry dlq groups` shows it."),
        _option("ids", _Texts, "--id", "ID", "7, or 1,2,3, or 5-9; may be told again."),
    )
}
