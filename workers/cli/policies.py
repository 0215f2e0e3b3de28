"""`payferry policies`: what is done about each failure and what protects each dependency, and why."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config.policies import told_policies
from config.settings import Settings, SettingsError, load_settings
from payments.event import Provider
from payments.failures import ConfigurationError
from payments.policies import KINDS, FailurePolicy, Policies, Reason, sections_of
from payments.policy_check import load_policies, meant
from payments.resilience.backoff import Backoff
from workers.cli.terminal.console import answer_console, print_json
from workers.logs import configure_logs

_ANY = ""  # no provider: what the general sections say
_LEAST_COLUMNS = 140


def _known(failure: str | None) -> str | None:
    if failure is not None and failure not in KINDS:
        raise typer.BadParameter(f"no such failure{meant(failure, KINDS)}")
    return failure


def policies(
    provider: Annotated[Provider | None, typer.Option(help="At this provider. Default: what holds for all.")] = None,
    failure: Annotated[
        str | None,
        typer.Option(help="This type of failure alone, each key with its source.", metavar="TYPE", callback=_known),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, each key with its source.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The table of docs/policies.md.")] = False,
) -> None:
    """Print the policies in force, and where each value comes from. Exits 2 where one of them is wrong."""
    settings = load_settings()
    configure_logs(settings.log)
    found = policies_of(settings)
    if markdown:
        print(as_markdown(found))  # noqa: T201 - the answer
    elif json:
        print_json(_told(found, provider, [failure] if failure else KINDS, settings))
    elif failure is not None:
        _show_failure(found, provider, failure)
    else:
        _show(found, provider, settings)


def policies_of(settings: Settings) -> Policies:
    """Return the policies in force. Raises SettingsError, whose text names the path, what is wrong and the fix."""
    try:
        return load_policies(told_policies(settings))
    except ConfigurationError as failure:
        raise SettingsError(failure.message) from failure


def as_markdown(found: Policies) -> str:
    """Return every type of failure with its effective answer at any provider, as a table."""
    head = [
        "| failure | retries | delays | within | takes back | ending | replays | said by |",
        "|" + "---|" * 8,
    ]
    rows = ([f"`{kind}`", *cells] for kind, *cells in _answers(found, _ANY))
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def _answers(found: Policies, provider: str) -> Iterator[list[str]]:
    for name, kind in KINDS.items():
        yield [name, *_cells(found.answer(provider, kind)), ", ".join(_speakers(found, provider, name))]


def _cells(answer: FailurePolicy) -> list[str]:
    """Return the answer in words. Tries that spend no attempt may be any number, within the window."""
    tries = answer.retries or not answer.burns_attempt
    return [
        str(answer.retries) if answer.burns_attempt else "any",
        _delays(answer.backoff) if tries else "",
        f"{answer.window_seconds:g} s" if answer.window_seconds else "",
        "yes" if answer.compensate else "no",
        answer.ending,
        str(answer.automatic_replays),
    ]


def _delays(backoff: Backoff) -> str:
    """Return the first three delays without their chance, and the longest."""
    whole = msgspec.structs.replace(backoff, jitter=0.0)
    first = ", ".join(f"{whole.delay_seconds(attempt):g}" for attempt in (1, 2, 3))
    return f"{first} … {backoff.cap_seconds:g} s"


def _speakers(found: Policies, provider: str, name: str) -> list[str]:
    """Return the sections that have a say, each before those that win over it; the root has one everywhere."""
    told = {reason.section for reason in found.why(provider, KINDS[name])} - {"failures.failure"}
    order = (".".join(section) for section in sections_of(provider, KINDS[name]))
    return [section.replace("failures.", "") for section in order if section in told]


def _told(found: Policies, provider: Provider | None, failures: Iterable[str], settings: Settings) -> dict[str, Any]:
    return {
        "provider": provider,
        "failures": {name: _by_key(found.why(provider or _ANY, KINDS[name])) for name in failures},
        **{
            group: {name: _by_key(found.why_section(group, name)) for name in names}
            for group, names in _protections(found, provider).items()
        },
        "fallbacks": _by_key(found.why_section("fallbacks")),
        "breaker_open_action": settings.policies.breaker_open_action,
    }


def _by_key(reasons: Iterable[Reason]) -> dict[str, dict[str, Any]]:
    return {
        reason.key: {"value": reason.value, "section": reason.section, "source": reason.source} for reason in reasons
    }


def _protections(found: Policies, provider: Provider | None) -> dict[str, list[str]]:
    """Return which breakers, limits and budgets there are; with a provider, only its own."""
    groups: dict[str, Iterable[str]] = {
        "breakers": found.breakers,
        "rate_limits": found.rate_limits,
        "retry_budgets": found.retry_budgets,
        "replay_velocities": found.replay_velocities,
    }
    return {group: [provider] if provider else list(named) for group, named in groups.items()}


def _show(found: Policies, provider: Provider | None, settings: Settings) -> None:
    console = _wide_console()
    console.print(_answers_table(found, provider))
    for group, names in _protections(found, provider).items():
        console.print(_protections_table(found, group, names))
    rows = [(reason.key, _written(reason.value)) for reason in found.why_section("fallbacks")]
    console.print(
        _table("fallbacks", ("key", "value"), [*rows, ("BREAKER_OPEN_ACTION", settings.policies.breaker_open_action)])
    )
    changes = [(reason.name, _written(reason.value), reason.source) for reason in found.changes()]
    if changes:
        console.print(_table("not as Payferry comes", ("key", "value", "source"), changes))
    console.print(
        "The rest is from config/policies.toml. Where one value comes from: --failure TYPE, or --json.", soft_wrap=True
    )


def _wide_console() -> Console:
    """Return the console for answers, never so narrow that words are torn: a pipe counts as 80 columns."""
    console = answer_console()
    console.width = max(console.width, _LEAST_COLUMNS)
    return console


def _answers_table(found: Policies, provider: Provider | None) -> Table:
    head = ("failure", "retries", "delays", "within", "takes back", "ending", "replays", "said by")
    return _table(f"failures at {provider or 'any provider'}", head, _answers(found, provider or _ANY))


def _protections_table(found: Policies, group: str, names: list[str]) -> Table:
    columns = [{reason.key: _written(reason.value) for reason in found.why_section(group, name)} for name in names]
    rows = [(key, *(column[key] for column in columns)) for key in columns[0]]
    return _table(group.replace("_", " "), ("key", *names), rows)


def _show_failure(found: Policies, provider: Provider | None, failure: str) -> None:
    reasons = found.why(provider or _ANY, KINDS[failure])
    rows = [(reason.key, _written(reason.value), f"[{reason.section}]", reason.source) for reason in reasons]
    head = ("key", "value", "section", "source")
    _wide_console().print(_table(f"{failure} at {provider or 'any provider'}", head, rows))


def _table(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _written(value: Any) -> str:  # noqa: ANN401 - a value of any key
    """Return the value as one would write it in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
