"""Sentry's client, told to send what it is given and to collect nothing by itself.

Read in sentry-sdk 2.75.0: `before_send` sees the event once everything in it is text, numbers, lists and dicts; `extra`
is cut after ten entries, a context of our own is not; sending is the work of a daemon thread, begun in the process
that captures.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, cast

import msgspec
from sentry_sdk.client import Client
from sentry_sdk.transport import HttpTransport, Transport
from sentry_sdk.types import Event, Hint

from payments.alarms.scrubber import scrubbed
from payments.log_events import Tell


class SentryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Where Sentry is, and what it is to call us. The DSN never shows in a repr."""

    dsn: str
    environment: str
    server_name: str

    def __repr__(self) -> str:
        return f"SentryPolicy({self.environment}, {self.server_name})"


class Sentry:
    """Sends alarms to Sentry, for one process: a queue and a thread do not live through a fork.

    What Sentry does not take is told as `alarm_unsent`; it is in the log all the same.
    """

    def __init__(self, policy: SentryPolicy, tell: Tell, transport: Transport | None = None) -> None:
        self._tell = tell
        self._client = build_client(policy, transport or BackgroundTransport)
        if isinstance(self._client.transport, BackgroundTransport):
            self._client.transport.unsent = self._unsent

    def send(self, name: str, meaning: str, fields: Mapping[str, object]) -> None:
        """Take one alarm."""
        if self._client.capture_event(alarm_event(name, meaning, fields)) is None:
            self._unsent("left out")  # scrubbing it failed

    def flush(self, seconds: float) -> None:
        """Wait until all that was taken is sent, at most so long."""
        self._client.flush(timeout=seconds)

    def _unsent(self, reason: str) -> None:
        self._tell("alarm_unsent", reason=reason)


class BackgroundTransport(HttpTransport):
    """Sends from a thread of its own, and tells `unsent` why an event was lost."""

    TIMEOUT = 5
    """Seconds for one try; behind the library's 30 the queue would fill up where Sentry hangs."""

    unsent: Callable[[str], None] | None = None

    def on_dropped_event(self, reason: str) -> None:
        """Be told by the library that an event is lost."""
        if self.unsent:
            self.unsent(reason)


def build_client(policy: SentryPolicy, transport: Transport | type[Transport]) -> Client:
    """Return a client that sends what it is given, scrubbed, and collects nothing by itself.

    `send_default_pii` is deprecated; it is off where nobody sets it, and nothing here would heed it.
    """
    return Client(
        dsn=policy.dsn,
        release=f"payferry@{version('payferry')}",
        environment=policy.environment,
        server_name=policy.server_name,
        transport=transport,
        before_send=_scrub,
        default_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        send_client_reports=False,
        enable_backpressure_handling=False,
        debug=False,  # the library would heed SENTRY_DEBUG, and
        spotlight=False,  # SENTRY_SPOTLIGHT, which sends to somebody else
    )


def alarm_event(name: str, meaning: str, fields: Mapping[str, object]) -> Event:
    """Return the event of one alarm, grouped with those of the same name and cause."""
    tags = {tag: str(fields[tag]) for tag in _TAGS if fields.get(tag) is not None}
    return {
        "level": "fatal",
        "message": meaning,
        "logger": "payferry",
        "fingerprint": [name, *_cause(fields)],
        "tags": {"alarm": name, **tags},
        "contexts": {"alarm": {field: value for field, value in fields.items() if field not in tags}},
    }


_TAGS = ("provider", "reason", "code", "category", "criticality")
"""What one looks for alarms by; each has few values."""

_CAUSES = ("fingerprint", "reason", "code", "breaker", "topic")
"""The fields that tell causes apart, the finest first."""


def _cause(fields: Mapping[str, object]) -> list[str]:
    return [str(fields[field]) for field in _CAUSES if fields.get(field)][:1]


def _scrub(event: Event, _hint: Hint) -> Event:
    told = cast("dict[str, Any]", event)
    ours = {field: told[field] for field in _NOT_OF_A_PAYMENT if field in told}
    return cast("Event", {**scrubbed(told), **ours})


_NOT_OF_A_PAYMENT = ("event_id", "timestamp", "release", "environment", "server_name", "sdk")
"""Set by the library and by our settings; redaction would take some for an IBAN or an e-mail address."""
