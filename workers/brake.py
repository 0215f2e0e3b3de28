"""Why a bridge takes nothing for now."""

from payments.log_events import Tell
from payments.streams.consumer import StreamConsumer


class Brake:
    """Keeps the consumer paused while there is any reason. Who gave a reason takes it back, and no other."""

    def __init__(self, consumer: StreamConsumer, tell: Tell) -> None:
        self._consumer = consumer
        self._tell = tell
        self._reasons: set[str] = set()
        self._eased: set[str] = set()
        self._is_pressed = False

    def put_on(self, reason: str) -> None:
        """Take nothing, for this reason too."""
        if reason not in self._reasons:
            self._tell("bridge_paused", reason=reason)
        self._reasons.add(reason)
        self._eased.discard(reason)
        self._press()

    def take_off(self, reason: str) -> None:
        """Forget this reason, and go on if it was the last."""
        if reason not in self._reasons:
            return
        self._reasons.discard(reason)
        self._eased.discard(reason)
        self._tell("bridge_pause_lifted", reason=reason)
        self._press()
        if not self._reasons:
            self._tell("bridge_resumed")

    def ease(self, reason: str) -> None:
        """Let records come for a while in spite of this reason, until it is put on again."""
        self._eased.add(reason)
        self._press()

    @property
    def reasons(self) -> frozenset[str]:
        """Every reason that there is, eased or not. May be asked from any thread."""
        return frozenset(self._reasons)

    def is_on_for(self, reason: str) -> bool:
        """Say whether this is a reason, eased or not."""
        return reason in self._reasons

    def is_on_only_for(self, reason: str) -> bool:
        """Say whether this is the one reason."""
        return self._reasons == {reason}

    @property
    def is_pressed(self) -> bool:
        """Whether nothing comes."""
        return self._is_pressed

    def _press(self) -> None:
        pressed = bool(self._reasons - self._eased)
        if pressed == self._is_pressed:
            return
        self._is_pressed = pressed
        if pressed:
            self._consumer.pause()
        else:
            self._consumer.resume()
