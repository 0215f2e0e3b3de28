"""The pulse of this very process, for what Celery makes and hands nothing to: its consumer and its scheduler."""

import atexit
import os

from config.settings import Settings, load_settings
from payments.failures import ConfigurationError
from workers.pulse.heart import heart_of, pulse_of
from workers.pulse.pulse import Pulse, Report, no_notes

_mine: list[Pulse] = []


def turn(rest_seconds: float = 0.0) -> None:
    """Note that the main loop of this process makes progress, where it has a pulse."""
    for pulse in _mine:
        pulse.turn(rest_seconds)


def begin(role: str, report: Report = no_notes, settings: Settings | None = None) -> Pulse:
    """Give this process a pulse, until it exits. Called once, in its main process, after what it forks at its start.

    Raises SystemExit, which names the settings, where the probe cannot listen: Celery lets nothing else through.
    """
    told = settings or load_settings()
    pulse = pulse_of(told, role, report)
    heart = heart_of(told, pulse)
    try:
        heart.start(told)
    except ConfigurationError as error:
        raise SystemExit(f"payferry: {error.message}") from None
    owner = os.getpid()
    atexit.register(lambda: heart.stop() if os.getpid() == owner else None)
    _mine[:] = [pulse]
    pulse.is_ready = True
    return pulse
