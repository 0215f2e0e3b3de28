"""Which dead letters are meant: the filters of every verb, and the condition in SQL that they come to."""

from datetime import datetime
from typing import Any

import msgspec

from payments.event import Provider

NO_PROVIDER = "unknown"
"""How letters are called whose provider nobody knows."""

OPEN = ("pending", "parked")
"""The states from which a letter can be sent back, edited or put away."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every filter that is told must hold. Ages and times are those of the first failure.

    `payment` is `provider:id`, or an id at whatever provider; `contains` is looked for in the first 64 KiB of payload
    and in the message, whatever the case of ASCII letters. `service` and `but_category` are for what a breaker has made
    wait.
    """

    provider: str | None = None
    reason: str | None = None
    category: str | None = None
    states: tuple[str, ...] = ()
    payment: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    older_than_seconds: float | None = None
    contains: str | None = None
    fingerprint: str | None = None
    ids: tuple[int, ...] = ()
    service: str | None = None
    but_category: str | None = None

    def condition(self) -> tuple[str, dict[str, Any]]:
        """Return the condition on `dead_letters AS letter`, and its parameters."""
        told = {name: value for name, value in msgspec.structs.asdict(self).items() if value not in (None, ())}
        parameters = told | {"states": list(self.states), "ids": list(self.ids)}
        if self.payment is not None:
            parameters["payment"] = _names(self.payment)
        if self.contains is not None:
            parameters |= _sought(self.contains)
        conditions = _CONDITIONS | (_OF_NOBODY if self.provider == NO_PROVIDER else {})
        return " AND ".join(["TRUE", *(conditions[name] for name in told)]), parameters

    @property
    def is_all(self) -> bool:
        """Whether no filter is told."""
        return self == Choice()

    @property
    def is_narrow(self) -> bool:
        """Whether it names letters, or what few have in common."""
        return bool(self.ids) or self.payment is not None or self.fingerprint is not None


def _names(payment: str) -> list[str]:
    """Return every name that the payment may be filed under."""
    provider, _, rest = payment.partition(":")
    if rest and provider in {str(each) for each in Provider}:
        return [payment]
    return [f"{each}:{payment}" for each in Provider]


def _sought(words: str) -> dict[str, bytes]:
    """Return the words as they are kept, and their end from the rarest byte on, which says no much sooner.

    PostgreSQL compares wherever the first byte is the same, and payloads are half quotes, zeros and `e`.
    """
    sought = words.encode(errors="surrogateescape").lower()
    begin = max(range(max(1, len(sought) - 2)), key=lambda place: _rarity(sought[place : place + 1]))
    return {"contains": sought, "contains_end": sought[begin:]}


def _rarity(byte: bytes) -> int:
    place = _COMMONEST.find(byte)
    return len(_COMMONEST) if place < 0 else place


_COMMONEST = b'"e0t arisocnd:lup,mf12yh_5b4g'
"""What payloads are made of for the most part, the commonest first (measured over the four providers' messages)."""


_CONDITIONS = {
    "provider": "letter.provider = %(provider)s",
    "reason": "letter.reason = %(reason)s",
    "category": "letter.category = %(category)s",
    "states": "letter.state = ANY (%(states)s::dead_letter_state[])",
    # letters keep the name that their payment had when they were buried, so all its names are meant
    "payment": """letter.id = ANY (ARRAY(
        SELECT named.id
          FROM dead_letters AS named
         WHERE named.ordering_key = ANY (%(payment)s || ARRAY(
                   SELECT unnest(ARRAY[aliases.alias, aliases.ordering_key])
                     FROM aliases
                    WHERE aliases.ordering_key = ANY (%(payment)s || ARRAY(
                              SELECT known.ordering_key
                                FROM aliases AS known
                               WHERE known.alias = ANY (%(payment)s)))))))""",
    "since": "letter.first_failed_at >= %(since)s",
    "until": "letter.first_failed_at < %(until)s",
    "older_than_seconds": "letter.first_failed_at < now() - make_interval(secs => %(older_than_seconds)s)",
    "contains": """letter.id IN (
        SELECT letter_id
          FROM dead_letter_texts
         WHERE position(%(contains_end)s IN words) > 0
           AND position(%(contains)s IN words) > 0)""",
    "fingerprint": "letter.fingerprint = %(fingerprint)s",
    "ids": "letter.id = ANY (%(ids)s::BIGINT[])",
    "service": "letter.service = %(service)s",
    "but_category": "letter.category <> %(but_category)s",
}

_OF_NOBODY = {"provider": "letter.provider IS NULL"}
