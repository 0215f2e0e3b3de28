"""Sentry in Celery's processes: what a task raises that nobody foresaw, and whether beat's tasks run.

Read in sentry-sdk 2.75.0: the integration patches Celery when it is set up and captures to the global client; it leaves
out Retry, Reject and Ignore, and with them every failure that is tried again. With `propagate_traces` it would put
headers into every message. A monitor's check-in goes out from beat when it sends the task, and from the worker when the
task has ended; what beat knows of it travels in the headers of that message.
"""

import atexit
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration

from payments.alarms.sentry import Sentry, sentry_here


def watch_celery(build: Callable[[CeleryIntegration], Sentry], unwatched: Sequence[str] | None) -> None:
    """Let Celery's integration capture to this process' Sentry, which `build` makes; once more after each fork.

    Monitors are kept of beat's entries except those named in `unwatched`; None: of none.
    """
    integration = _integration(None if unwatched is None else tuple(unwatched))
    sentry = sentry_here(lambda: build(integration))
    atexit.register(sentry.flush, _FLUSH_SECONDS)  # the integration itself does so in a pool's children alone
    sentry_sdk.get_global_scope().set_client(sentry.client)


_FLUSH_SECONDS = 2.0


@lru_cache(maxsize=1)
def _integration(unwatched: tuple[str, ...] | None) -> CeleryIntegration:
    return CeleryIntegration(
        propagate_traces=False,
        monitor_beat_tasks=unwatched is not None,
        exclude_beat_tasks=[re.escape(name) for name in unwatched or ()],
    )
