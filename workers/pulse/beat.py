"""What beat says of itself."""

from typing import Any

from workers.pulse.broker import BrokerLook
from workers.pulse.pulse import REDIS_AWAY, Notes


class BeatReport:
    """Looks whether the broker answers. Called by the pulse's thread."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - Celery is untyped
        self._broker = BrokerLook(app)

    def __call__(self) -> Notes:
        """Return what is in its way."""
        is_away = self._broker.waiting() is None
        return Notes(troubles=[REDIS_AWAY] if is_away else [], is_excused=is_away)
