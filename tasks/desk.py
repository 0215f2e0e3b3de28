"""The desk of this process, made at its first task, which is after the fork."""

import os
import threading

from celery import current_app

from config.settings import load_settings
from payments.flows.desk import Desk
from payments.wiring import Wiring

_desks: dict[int, Desk] = {}
_making = threading.Lock()


def desk() -> Desk:
    """Return the one desk of this process, shared by its threads or greenlets."""
    pid = os.getpid()
    if pid not in _desks:
        with _making:
            if pid not in _desks:
                _desks.clear()  # what a parent made before the fork is not ours to use
                settings = load_settings()
                settings.require("DATABASE_URL")
                _desks[pid] = Wiring(settings).desk(current_app)
    return _desks[pid]
