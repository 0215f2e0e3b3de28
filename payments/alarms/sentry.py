"""Sentry's client, told to send what it is given and to collect nothing by itself.

Read in sentry-sdk 2.75.0: `before_send` sees an event once everything in it is text, numbers, lists and dicts, and sees
the check-ins of monitors too; `extra` is cut after ten entries, a context of our own is not; sending is the work of a
daemon thread, begun in the process that captures.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import cast

import msgspec
from sentry_sdk.client import Client
from sentry_sdk.integrations import Integration
from sentry_sdk.transport import HttpTransport, Transport
from sentry_sdk.types import Event, Hint

from payments.alarms.damper import DAMPING, Damper
from payments.alarms.notice import Notice
from payments.alarms.sentry_event import Told, cleaned, crumbs_of, event_of, kind_of
from payments.alarms.trail import TRAIL, Trail
from payments.failures import Declined, Transient
from payments.log_events import Tell


class SentryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Where Sentry is, and what it is to call us; without a release, by our version. The DSN never shows in a repr."""

    dsn: str
    environment: str
    server_name: str
    release: str = ""

    def __repr__(self) -> str:
        return f"SentryPolicy({self.environment}, {self.server_name})"


class Sentry:
    """Sends alarms to Sentry, for one process: a queue and a thread do not live through a fork.

    What Sentry does not take is told as `alarm_unsent`; it is in the log all the same.
    """

    def __init__(
        self,
        policy: SentryPolicy,
        tell: Tell,
        transport: Transport | None = None,
        *,
        trail: Trail = TRAIL,
        integrations: Sequence[Integration] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._trail = trail
        self._clock = clock
        self._damper: Damper[None] = Damper(DAMPING)
        self.client = build_client(policy, transport or BackgroundTransport, self._before_send, integrations)
        if isinstance(self.client.transport, BackgroundTransport):
            self.client.transport.unsent = self._unsent

    def send(self, notice: Notice) -> None:
        """Take one alarm."""
        if self.client.capture_event(cast("Event", event_of(notice))) is None:
            self._unsent("left out")  # scrubbing it failed

    def flush(self, seconds: float) -> None:
        """Wait until all that was taken is sent, at most so long."""
        self.client.flush(timeout=seconds)

    def _before_send(self, event: Event, _hint: Hint) -> Event | None:
        """Add the trail, and take out what must not be sent. An exception of which there are too many is dropped."""
        if event.get("type") == "check_in":
            return event  # names and times of a monitor
        told: Told = dict(event)
        if "alarm" not in told.get("tags", {}):
            left_out = self._damper.admit(kind_of(told), None, self._clock())
            if left_out is None:
                return None
            told["tags"] = {**told.get("tags", {}), "left_out": str(left_out)}
        if crumbs := self._trail.crumbs():
            told["breadcrumbs"] = crumbs_of(crumbs)
        return cast("Event", cleaned(told))

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


def build_client(
    policy: SentryPolicy,
    transport: Transport | type[Transport],
    before_send: Callable[[Event, Hint], Event | None],
    integrations: Sequence[Integration] = (),
) -> Client:
    """Return a client that sends what it is given, and collects nothing but what `integrations` do.

    `send_default_pii` is deprecated; it is off where nobody sets it, and nothing here would heed it.
    """
    return Client(
        dsn=policy.dsn,
        release=policy.release or f"payferry@{version('payferry')}",
        environment=policy.environment,
        server_name=policy.server_name,
        transport=transport,
        before_send=before_send,
        integrations=integrations,
        default_integrations=False,
        ignore_errors=(Transient, Declined),  # what is tried again, and what is an answer
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        send_client_reports=False,
        enable_backpressure_handling=False,
        debug=False,  # the library would heed SENTRY_DEBUG, and
        spotlight=False,  # SENTRY_SPOTLIGHT, which sends to somebody else
    )


def sentry_here(build: Callable[[], Sentry]) -> Sentry:
    """Return this process' one Sentry, which `build` makes where there is none yet: also after a fork."""
    pid = os.getpid()
    with _making:
        if pid not in _here:
            _here.clear()  # what a parent made is not ours to use
            _here[pid] = build()
    return _here[pid]


_here: dict[int, Sentry] = {}
_making = threading.Lock()
