"""The log of what the sandbox really did: one JSON line an effect, which survives a restart."""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from payments.event import Provider


class Action(StrEnum):
    """What can be done to a payment."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took place. `payment_id` is the first name by which the sandbox knew the payment.

    `amount_minor` and `currency` are None where nobody has told them: Stripe's confirm and PayPal's authorize name
    neither.
    """

    seq: int
    at: str
    provider: Provider
    payment_id: str
    action: Action
    amount_minor: int | None
    currency: str | None
    reference_id: str
    idempotency_key: str | None


class Entry(Effect, frozen=True, kw_only=True):
    """An effect with the answer that was given for it, so that both are written at once or not at all."""

    fingerprint: str
    status: int
    answer: msgspec.Raw

    @property
    def effect(self) -> Effect:
        """The effect alone."""
        return Effect(**{name: getattr(self, name) for name in Effect.__struct_fields__})


class EffectLog:
    """Appends entries to a file and keeps their effects in memory. Without a path it only does the latter.

    A line is handed to the kernel before the answer goes out: it outlives the process, not a power cut.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._effects: list[Effect] = []
        self._file = None if path is None else os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def recover(self) -> Iterator[Entry]:
        """Yield what an earlier run wrote, the oldest first. A last line that was cut off is removed."""
        if self._path is None or self._file is None:
            return
        end = 0
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                entry = _DECODER.decode(line)
                self._effects.append(entry.effect)
                end += len(line)
                yield entry
        os.ftruncate(self._file, end)

    @property
    def next_seq(self) -> int:
        """The number of the next effect, from 1."""
        return len(self._effects) + 1

    def append(self, entry: Entry) -> None:
        """Record an effect."""
        if self._file is not None:
            os.write(self._file, _ENCODER.encode(entry) + b"\n")
        self._effects.append(entry.effect)

    def page(
        self, *, provider: str | None = None, payment_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[Effect]:
        """Return up to `limit` effects with a number above `after`, the oldest first."""
        found: list[Effect] = []
        for position in range(max(after, 0), len(self._effects)):
            effect = self._effects[position]
            if provider in {None, effect.provider} and payment_id in {None, effect.payment_id}:
                found.append(effect)
                if len(found) == limit:
                    break
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)
