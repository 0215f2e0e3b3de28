"""A record as a JSON document: the limits on its bytes, and what to say of one that cannot be decoded."""

import re

import msgspec

from payments.failures import Undecodable

MAX_DEPTH = 64
"""How deep objects and arrays may nest. Webhooks of the three providers stay under 12."""

_BRACKET_OR_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


def check(raw: bytes, max_bytes: int) -> None:
    """Raise Undecodable where the bytes alone are reason enough. Linear, and cheap for a record that is well."""
    if not raw:
        raise Undecodable("$", "empty record")
    if len(raw) > max_bytes:
        raise Undecodable("$", f"{len(raw)} bytes, over the cap of {max_bytes}")
    if not raw.isascii():
        _check_utf8(raw)
    if b"\x00" in raw or (b"\\u0000" in raw and _NUL_ESCAPE.search(raw)):
        raise Undecodable("$", "holds a NUL character")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        _check_depth(raw)


def refusal(error: Exception) -> Undecodable:
    """Return what to raise for a decoder's error. Names types and limits, never a value out of the record."""
    if isinstance(error, msgspec.ValidationError):
        return _misshapen(str(error))
    if isinstance(error, RecursionError):
        return Undecodable("$", f"nested deeper than {MAX_DEPTH}")
    if isinstance(error, msgspec.DecodeError):
        return Undecodable("$", f"not JSON: {str(error).removeprefix('JSON is malformed: ')}")
    return Undecodable("$", f"not decodable: {type(error).__name__}")


def _check_utf8(raw: bytes) -> None:
    # msgspec does not look into strings that it skips, and the whole record is kept
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        position = error.start
    else:
        return
    raise Undecodable("$", f"not UTF-8 at byte {position}")


def _check_depth(raw: bytes) -> None:
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(raw):
        token = match[0]
        if token in b"{[":
            depth += 1
        elif token in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise Undecodable("$", f"nested deeper than {MAX_DEPTH}")


def _misshapen(message: str) -> Undecodable:
    """Turn msgspec's "Expected `int`, got `str` - at `$.amount`" into path and reason."""
    told, _, where = message.partition(" - at ")
    path = where.rpartition(" in ")[2].strip("`") or "$"
    if missing := _MISSING.fullmatch(told):
        return Undecodable(f"{path}.{missing[1]}", "missing")
    return Undecodable(path, _reason(told))


def _reason(told: str) -> str:
    if told.startswith("Invalid enum value"):  # msgspec repeats the value here
        return "not one of the values allowed"
    if "matching regex" in told:
        return "blank at an end, or holds control characters"
    return told[0].lower() + told[1:].replace("`", "")
