"""The Lua scripts of this room, read from their files once. A script runs in Redis as a whole, or not at all."""

import hashlib
import re
from functools import cache
from importlib.resources import files

import msgspec

_OPENING = re.compile(r"-- opens with (\w+)\n")


class Script(msgspec.Struct, frozen=True):
    """A script's text, and the SHA-1 in hex by which Redis knows it (EVALSHA)."""

    text: str
    digest: str


@cache
def script(name: str) -> Script:
    """Return the script in `lua/<name>.lua`. Raises FileNotFoundError.

    A first line `-- opens with <other>` puts the text of `lua/<other>.lua` before it: what several scripts share.
    """
    text = _text(name)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _text(name: str) -> str:
    text = files("payments.resilience").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    opening = _OPENING.match(text)
    return _text(opening[1]) + text if opening else text
