"""A Kafka record as it came."""

import base64

import msgspec


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

    def headers_json(self) -> str:
        """Return the headers as JSON pairs of name and base64, since their bytes may be anything."""
        if not self.headers:
            return "[]"
        pairs = [(name, base64.b64encode(value or b"").decode()) for name, value in self.headers]
        return msgspec.json.encode(pairs).decode()
