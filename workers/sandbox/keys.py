"""What was answered under each idempotency key."""

import msgspec

from payments.event import Provider
from workers.sandbox.book import Ask, Problem


class Stored(msgspec.Struct, frozen=True):
    """An answer and the request that it was given to."""

    fingerprint: str
    status: int
    body: bytes


class Keys:
    """The keys of all providers. A request without a key is never stored, nor in anyone's way."""

    def __init__(self) -> None:
        self._stored: dict[tuple[Provider, str], Stored] = {}
        self._in_use: set[tuple[Provider, str]] = set()

    def find(self, ask: Ask) -> Stored | Problem | None:
        """Return the stored answer, the problem with using the key so, or None where the request is new."""
        if ask.key is None:
            return None
        name = (ask.provider, ask.key)
        stored = self._stored.get(name)
        if stored is not None:
            return stored if stored.fingerprint == ask.fingerprint else Problem.KEY_REUSED
        return Problem.KEY_IN_USE if name in self._in_use else None

    def hold(self, ask: Ask) -> None:
        """Mark the key as in use, until `release`."""
        if ask.key is not None:
            self._in_use.add((ask.provider, ask.key))

    def release(self, ask: Ask) -> None:
        """Free the key."""
        if ask.key is not None:
            self._in_use.discard((ask.provider, ask.key))

    def store(self, provider: Provider, key: str | None, stored: Stored) -> None:
        """Keep an answer for good."""
        if key is not None:
            self._stored[provider, key] = stored
