"""A Kafka record as it came."""

import base64
import re
from collections.abc import Sequence

import msgspec

from payments.redaction import is_card_number

_CORRELATION = ("correlation_id", "correlation-id", "x-correlation-id", "x-request-id")
_TOKEN = re.compile(r"[\w.:/-]{1,128}", re.ASCII)
_TRACE_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})(-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Where a record stood, and its bytes. `payload` is empty for a record without a value (a tombstone)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: list[tuple[str, bytes | None]]
    payload: bytes
    timestamp_ms: int | None = None
    """When it was produced, or appended, in milliseconds of the Unix epoch; None where Kafka does not know."""
    taken_under: str | None = None
    """The span in which it is taken in, where it is traced, in the form of `traceparent`."""

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

    def correlated(self, event_id: str | None) -> str:
        """Return under which name all that becomes of this record is told; see `payments.correlation`."""
        return self.correlation_id or event_id or f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def trace_parent(self) -> str | None:
        """What the work on this record hangs on in its trace: the span that took it in, otherwise its producer's."""
        return self.taken_under or trace_parent(self.header("traceparent"))

    @property
    def trace_id(self) -> str | None:
        """The trace that the record is part of."""
        return trace_id(self.trace_parent)

    def headers_json(self) -> str:
        """Return the headers as `headers_json` does."""
        return headers_json(self.headers)


def correlation_token(told: str | None) -> str | None:
    """Return what somebody else calls a matter, where it is brief and may stand in a log; None otherwise."""
    return told if told and _TOKEN.fullmatch(told) and not is_card_number(told) else None


def trace_parent(told: str | None) -> str | None:
    """Return a header `traceparent` in the form of version 00, or None where it is none.

    Source: W3C Trace Context, section 3.2: of a later version we keep what we know of it.
    """
    match = _TRACE_PARENT.fullmatch(told) if told else None
    if match is None or (match[1] == "00" and match[4] is not None):
        return None
    return f"00{match[2]}"


def trace_id(parent: str | None) -> str | None:
    """Return the trace that a `traceparent` names."""
    return parent.split("-")[1] if parent else None


def headers_json(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return headers as JSON pairs of name and base64, since their bytes may be anything."""
    if not headers:
        return "[]"
    pairs = [(name, base64.b64encode(value or b"").decode()) for name, value in headers]
    return msgspec.json.encode(pairs).decode()
