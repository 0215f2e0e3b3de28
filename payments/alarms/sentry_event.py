"""What Sentry is sent: events made of alarms and of exceptions, without what must not leave the house."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from payments.alarms.notice import CRITICAL, Notice
from payments.alarms.scrubber import scrubbed
from payments.alarms.trail import Crumb

Told = dict[str, Any]
"""An event, or a part of one, as JSON."""


def event_of(notice: Notice) -> Told:
    """Return the event of one alarm, grouped with those of the same name and cause."""
    fields = dict(notice.fields)
    tags = {tag: str(fields.pop(tag)) for tag in _TAGS if fields.get(tag) is not None}
    stack = str(fields.pop("stack", "") or "")
    if notice.left_out:
        fields["left_out"] = notice.left_out
    event = {
        "level": "fatal" if notice.level == CRITICAL else notice.level,
        "message": notice.meaning,
        "logger": "payferry",
        "fingerprint": list(notice.kind),
        "tags": {"alarm": notice.name, **tags},
        "contexts": {"alarm": fields},
    }
    return event | {"exception": {"values": _exceptions(notice, stack)}} if stack else event


def crumbs_of(crumbs: Iterable[Crumb]) -> Told:
    """Return the trail as Sentry's breadcrumbs."""
    return {
        "values": [
            {
                "timestamp": crumb.told_at,
                "category": "payferry",
                "level": crumb.level,
                "message": crumb.name,
                "data": dict(crumb.fields),
            }
            for crumb in crumbs
        ]
    }


def cleaned(event: Mapping[str, Any]) -> Told:
    """Return an event with every text redacted, and without what is left out.

    Of an exception the type and the places in the code stay. Its text may quote a payment in a form that no redaction
    knows, so it stays only where it is one of our own failures, whose texts are made to be told.
    """
    told = dict(event)
    ours = {field: told.pop(field) for field in _NOT_OF_A_PAYMENT if field in told}
    contexts = {name: each for name, each in told.get("contexts", {}).items() if name != "trace"}
    told = scrubbed({**told, "contexts": contexts})
    if "exception" in told:
        told["exception"] = {"values": [_without_text(each) for each in told["exception"].get("values", [])]}
    return {**told, **ours}


def kind_of(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what events of exceptions are counted as one by: the type, and the place where it was raised."""
    raised = (event.get("exception") or {}).get("values") or [{}]
    frames = (raised[-1].get("stacktrace") or {}).get("frames") or [{}]
    return ("exception", *(str(told) for told in (raised[-1].get("type"), *map(frames[-1].get, _PLACE))))


def _exceptions(notice: Notice, stack: str) -> list[Told]:
    """Return the stack of a log event as Sentry shows one: what caused it comes first, and each ends where it began."""
    parts = re.split(r"(?:^|\n)caused by (\w+)\n?", stack)
    types = [_type_of(notice), *parts[1::2]]
    return [_exception(kind, frames) for kind, frames in zip(types, parts[::2], strict=True)][::-1]


def _type_of(notice: Notice) -> str:
    return str(notice.fields.get("failure_type") or notice.fields.get("error") or notice.name)


def _exception(kind: str, stack: str) -> Told:
    found = (_FRAME.fullmatch(line) for line in stack.splitlines())
    frames = [
        {"filename": frame[1], "lineno": int(frame[2]), "function": frame[3], "in_app": not _is_foreign(frame[1])}
        for frame in found
        if frame
    ]
    return {"type": kind, "stacktrace": {"frames": frames}} if frames else {"type": kind}


def _is_foreign(filename: str) -> bool:
    return not filename.startswith(("payments/", "tasks/", "workers/", "config/"))


def _without_text(exception: Told) -> Told:
    """Return one exception without its text, unless it is ours, and without where its code is installed."""
    told = exception if exception.get("module") == "payments.failures" else {**exception, "value": ""}
    frames = (told.get("stacktrace") or {}).get("frames") or []
    shown = [{name: each for name, each in frame.items() if name != "abs_path"} for frame in frames]
    return {**told, "stacktrace": {"frames": shown}} if frames else told


_FRAME = re.compile(r"(.+):(\d+) in (.+)")
_PLACE = ("filename", "lineno")

_TAGS = ("provider", "reason", "code", "failure_type", "category", "criticality")
"""What one looks for alarms by; each has few values."""

_NOT_OF_A_PAYMENT = ("event_id", "timestamp", "release", "environment", "server_name", "sdk")
"""Set by the library and by our settings; redaction would take some for an IBAN or an e-mail address."""
