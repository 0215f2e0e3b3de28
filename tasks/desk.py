"""The desks of this process, made at its first task, which is after the fork."""

import os
import threading
from functools import cached_property

from billiard.process import current_process
from celery import current_app

from config.settings import load_settings
from payments.flows.dead_letters.archiving import ArchiveDesk
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.desk import Desk
from payments.flows.forgetting import FeedDesk
from payments.wiring import Wiring

_making = threading.Lock()


class Desks:
    """What one process works at, all on the same connections."""

    def __init__(self) -> None:
        settings = load_settings()
        settings.require("DATABASE_URL")
        self._wiring = Wiring(settings, _slot())
        self.tell = self._wiring.tell

    @cached_property
    def payments(self) -> Desk:
        """For payments."""
        return self._wiring.desk(current_app)

    @cached_property
    def replays(self) -> ReplayDesk:
        """For dead letters that go back."""
        return self._wiring.replay_desk(current_app)

    @cached_property
    def archives(self) -> ArchiveDesk:
        """For dead letters that are put away."""
        return self._wiring.archive_desk(current_app)

    @cached_property
    def feed(self) -> FeedDesk:
        """For changes that are forgotten."""
        return self._wiring.feed_desk()


def _slot() -> str:
    """Return which child of its pool this process is: one that takes the place of another has its number."""
    return str(getattr(current_process(), "index", "main"))


_desks: dict[int, Desks] = {}


def _mine() -> Desks:
    """Return the desks of this process, shared by its threads or greenlets."""
    pid = os.getpid()
    if pid not in _desks:
        with _making:
            if pid not in _desks:
                _desks.clear()  # what a parent made before the fork is not ours to use
                _desks[pid] = Desks()
    return _desks[pid]


def tell(name: str, **fields: object) -> None:
    """Write a log event with what this process writes them with."""
    _mine().tell(name, **fields)


def desk() -> Desk:
    """Return the desk of this process for payments."""
    return _mine().payments


def replay_desk() -> ReplayDesk:
    """Return the desk of this process for dead letters that go back."""
    return _mine().replays


def archive_desk() -> ArchiveDesk:
    """Return the desk of this process for dead letters that are put away."""
    return _mine().archives


def feed_desk() -> FeedDesk:
    """Return the desk of this process for changes that are forgotten."""
    return _mine().feed
