"""The book of signs: one hash in the Redis that the fleet shares. Its clock stamps them, so no host's clock matters."""

from typing import Any

import msgspec
import redis

from payments.resilience.scripts import script
from workers.pulse.sign import FORGOTTEN_SECONDS, Seen, Sign

_KEY = "payferry:pulses"
_MICROSECONDS = 1_000_000
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Sign)


class PulseBook:
    """Signs of life by process. Every method raises redis.RedisError where Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        """`client` answers with text."""
        self._client = client
        self._write: Any = client.register_script(script("pulse").text)
        self._read: Any = client.register_script(script("pulses").text)

    def write(self, sign: Sign) -> None:
        """File the sign in place of the process' last one."""
        self._write(keys=[_KEY], args=[sign.key, _ENCODER.encode(sign)])

    def remove(self, key: str) -> None:
        """Forget the process of that key: it ends, as it was told to."""
        self._client.hdel(_KEY, key)

    def read(self) -> tuple[Seen, ...]:
        """Return every process that has given a sign within ten minutes, by role and name. Forgets the others.

        A sign that cannot be read, as of another version, is left out.
        """
        told = self._read(keys=[_KEY], args=[int(FORGOTTEN_SECONDS * _MICROSECONDS)])
        found = (_seen(ago_us, text) for ago_us, text in zip(told[::2], told[1::2], strict=True))
        return tuple(sorted((each for each in found if each), key=lambda each: each.sign.key))


def _seen(ago_us: int, text: str) -> Seen | None:
    try:
        return Seen(sign=_DECODER.decode(text), seen_seconds=ago_us / _MICROSECONDS)
    except msgspec.MsgspecError:
        return None
