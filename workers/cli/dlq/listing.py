"""`payferry dlq list | show | groups`: finding and understanding dead letters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from payments.ledger.dead_letters.burial import NORMAL
from payments.ledger.dead_letters.search import Brief, Change, Group, Page, Search
from workers.cli.dlq.filters import Meant, filtered, in_words
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import Json, LetterId
from workers.cli.dlq.output import write_out
from workers.cli.dlq.reach import missing
from workers.cli.terminal.console import answer_console, print_json
from workers.cli.terminal.refusal import cannot, wrong
from workers.cli.terminal.tables import counts, largest_first, many, pairs, plain, table, wide_console
from workers.cli.terminal.times import moment

_USUAL = 50
_MOST_LINES = 10_000
_MOST_KIN = 100

Limit = Annotated[int, typer.Option(help="Most of them on one page.", min=1, max=_MOST_LINES)]


@filtered
def listing(
    context: typer.Context,
    meant: Meant,
    limit: Limit = _USUAL,
    after: Annotated[
        int | None, typer.Option(help="Go on after this number, the last of the page before.", metavar="ID", min=1)
    ] = None,
    *,
    count: Annotated[bool, typer.Option("--count", help="How many there are, and nothing else.")] = False,
    json: Json = False,
) -> None:
    """List dead letters, the newest first, a page at a time; the end of a page says how to go on."""
    office: Office = context.obj
    if count and after is not None:
        wrong("--count counts all pages, so --after goes without it")
    if count:
        _tell_count(office.search.count(meant.choice), json=json)
        return
    page = office.search.page(meant.choice, limit, after)
    if json:
        print_json({"dead_letters": page.letters, "after": page.after})
    else:
        _show_page(page, meant, limit)


def _tell_count(number: int, *, json: bool) -> None:
    if json:
        print_json({"count": number})
    else:
        answer_console().print(number, highlight=False)


def _show_page(page: Page, meant: Meant, limit: int) -> None:
    console = wide_console()
    if page.letters:
        console.print(table("", _HEADS, map(_line, page.letters)))
    shown = f"{many(len(page.letters))} shown" if page.letters else "no dead letters"
    if page.after is not None:
        told = ["payferry dlq list"] if meant.choice.is_all else ["payferry dlq list", in_words(meant.choice)]
        told += [f"--limit {limit}"] if limit != _USUAL else []
        shown += f"; more follow: {' '.join(told)} --after {page.after}"
    console.print(shown, highlight=False, soft_wrap=True, markup=False)


_HEADS = (
    *("id", "state", "provider", "payment", "category", "reason", "first failed", "replays", "next replay", "critical"),
)


def _line(brief: Brief) -> tuple[object, ...]:
    return (
        *(brief.id, brief.state, brief.provider or "unknown", brief.payment or "", brief.category, brief.reason),
        *(moment(brief.first_failed_at), brief.replay_count, moment(brief.next_replay_at)),
        "" if brief.criticality == NORMAL else brief.criticality.replace("_", " "),
    )


def show(
    context: typer.Context,
    letter_id: LetterId,
    *,
    payload: Annotated[bool, typer.Option("--payload", help="With what the record held.")] = False,
    audit: Annotated[bool, typer.Option("--audit", help="With --json: and what was done to it.")] = False,
    raw: Annotated[
        Path | None, typer.Option(help="Write the record's bytes to this file, - for stdout, and show nothing.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="The very JSON that is on the topic of dead letters, nothing added.")
    ] = False,
) -> None:
    """Show one dead letter with every attempt, every replay, its lineage and its audit. Exits 1 for an unknown one."""
    _check_form(payload=payload, audit=audit, raw=raw, json=json)
    office: Office = context.obj
    record = office.search.record(letter_id)
    if record is None:
        cannot(missing(letter_id, office.search))
    if raw is not None:
        write_out(raw, office.search.payload(letter_id) or b"")
    elif json:
        print_json({"dead_letter": record, "audit": office.search.audit(letter_id)} if audit else record)
    else:
        _show_letter(record, office.search, with_payload=payload)


def _check_form(*, payload: bool, audit: bool, raw: Path | None, json: bool) -> None:
    if raw is not None and (json or payload or audit):
        wrong("--raw writes the bytes and nothing else; leave out --json, --payload and --audit")
    if payload and json:
        wrong("--json holds the payload already, in base64; leave out --payload")


def _show_letter(record: dict[str, Any], search: Search, *, with_payload: bool) -> None:
    console = wide_console()
    console.print(pairs(f"dead letter {record['id']}", _told(record)))
    console.print(table("attempts", ("at", "attempt", "failure", "code", "message"), map(_attempt, record["attempts"])))
    if record["replays"]:
        heads = ("at", "replay", "what", "by", "reason or ending", "message")
        console.print(table("replays", heads, map(_replay, record["replays"])))
    if kin := list(_kin(record, search)):
        console.print(table("lineage", ("id", "", "state"), kin))
    if changes := search.audit(record["id"]):
        console.print(table("audit", ("at", "who", "what", "why", "before", "after"), map(_change, changes)))
    if with_payload:
        text = (search.payload(record["id"]) or b"").decode("utf-8", "backslashreplace")
        console.print(plain(pretty(text)), highlight=False, soft_wrap=True, markup=False)


def pretty(text: str) -> str:
    """Return JSON on lines of its own; any other text as it is."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, UnicodeError):
        return text


def _told(record: dict[str, Any]) -> dict[str, object]:
    """Return what fits into a line each. The payload, and what of its event may be personal, is not shown."""
    told = {name: moment(record[name]) if name.endswith("_at") else record[name] for name in _LINES}
    event = {name: value for name, value in (record["event"] or {}).items() if name not in _PERSONAL}
    return told | {
        "event": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in event.items() if value is not None),
        "record": f"{record['topic']}, partition {record['partition']}, offset {record['offset']}",
        "headers": ", ".join(name for name, _ in record["headers"]),
        "payload": f"{record['payload_size']:,} bytes, sha256 {record['payload_sha256']}",
    }


_PERSONAL = frozenset({"metadata", "customer_email"})
_LINES = (
    *("state", "resolution", "criticality", "provider", "payment", "event_id", "category", "failure_type", "reason"),
    *("message", "service", "operation", "stack", "fingerprint", "first_failed_at", "last_failed_at"),
    *("next_replay_at", "replay_count", "ended_at", "job_id", "parent_id", "replaced_by", "correlation_id", "trace_id"),
    *("inbox_id", "origin"),
)


def _attempt(line: dict[str, Any]) -> tuple[object, ...]:
    message = line.get("provider_message") or line.get("message", "")
    return moment(line.get("at")), line.get("attempt", ""), line.get("kind", ""), line.get("code", ""), message


def _replay(line: dict[str, Any]) -> tuple[object, ...]:
    what = line.get("reason") or line.get("ending", "")
    return (
        moment(line.get("at")),
        *(line.get("replay", ""), line.get("mark", ""), line.get("by", ""), what, line.get("message", "")),
    )


def _kin(record: dict[str, Any], search: Search) -> Iterator[tuple[object, ...]]:
    """Yield what the letter is an edit of, the oldest first, and the edits that took its place."""
    yield from reversed(list(_along(record, search, "parent_id", "was edited, and became the next one")))
    yield from _along(record, search, "replaced_by", "took its place")


def _along(record: dict[str, Any], search: Search, way: str, what: str) -> Iterator[tuple[object, ...]]:
    following = record[way]
    for _ in range(_MOST_KIN):
        if following is None:
            return
        found = search.record(following)
        yield following, what, found["state"] if found else "archived and purged"
        following = found[way] if found else None


def _change(change: Change) -> tuple[object, ...]:
    before, after = change.before or {}, change.after or {}
    differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    parts = (
        ", ".join(f"{name.replace('_', ' ')} {told[name]}" for name in differing if told.get(name) is not None)
        for told in (before, after)
    )
    return moment(change.at), change.who, change.what, change.why or "", *parts


@filtered
def groups(
    context: typer.Context,
    meant: Meant,
    limit: Annotated[int, typer.Option(help="Most groups.", min=1, max=_MOST_LINES)] = 20,
    *,
    json: Json = False,
) -> None:
    """Show what dead letters died of: those with the same fingerprint together, the largest group first."""
    office: Office = context.obj
    found = office.search.groups(meant.choice, limit + 1)
    shown, has_more = found[:limit], len(found) > limit
    if json:
        print_json({"groups": shown, "more": has_more})
    else:
        _show_groups(shown, has_more=has_more)


def _show_groups(shown: list[Group], *, has_more: bool) -> None:
    console = wide_console()
    if not shown:
        console.print("no dead letters", highlight=False)
        return
    heads = ("count", "fingerprint", "category", "reason", "providers", "states", "last failed", "example", "message")
    console.print(table("", heads, map(_group, shown)))
    first = shown[0]
    console.print(
        f"One of them: payferry dlq show {first.example_id}. All of a group: payferry dlq list --fingerprint "
        f"{first.fingerprint}. Send it back: payferry dlq replay --fingerprint {first.fingerprint}",
        highlight=False,
        soft_wrap=True,
    )
    if has_more:
        console.print(f"{len(shown)} groups shown; more follow: say a larger --limit", highlight=False)


def _group(group: Group) -> tuple[object, ...]:
    return (
        *(f"{group.count:,}", group.fingerprint, group.category, group.reason, ", ".join(group.providers)),
        *(counts(largest_first(group.states)), moment(group.last_failed_at), group.example_id, group.message),
    )
