"""A Kafka record as it came."""

import base64
import re
from collections.abc import Sequence

import msgspec

from payments.redaction import is_card_number

_CORRELATION = ("correlation_id", "correlation-id", "x-correlation-id", "x-request-id")
_TOKEN = re.compile(r"[\w.:/-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Where a record stood, and its bytes. `payload` is empty for a record without a value (a tombstone)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: list[tuple[str, bytes | None]]
    payload: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of that name as text, or None where there is none."""
        for each, value in self.headers:
            if each == name and value is not None:
                return value.decode("utf-8", "replace")
        return None

    @property
    def correlation_id(self) -> str | None:
        """What the producer calls the matter that this record is about, where it says so and is brief."""
        return correlation_token(next((value for name in _CORRELATION if (value := self.header(name))), None))

    @property
    def trace_id(self) -> str | None:
        """The trace that the record is part of, from the header `traceparent` (W3C Trace Context)."""
        match = _TRACEPARENT.fullmatch(self.header("traceparent") or "")
        return match[1] if match else None

    def headers_json(self) -> str:
        """Return the headers as `headers_json` does."""
        return headers_json(self.headers)


def correlation_token(told: str | None) -> str | None:
    """Return what somebody else calls a matter, where it is brief and may stand in a log; None otherwise."""
    return told if told and _TOKEN.fullmatch(told) and not is_card_number(told) else None


def headers_json(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return headers as JSON pairs of name and base64, since their bytes may be anything."""
    if not headers:
        return "[]"
    pairs = [(name, base64.b64encode(value or b"").decode()) for name, value in headers]
    return msgspec.json.encode(pairs).decode()
