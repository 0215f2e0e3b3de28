"""Who may call the API, as it is written in API_TOKENS: `name:grants:token`.

Grants are joined by `+`. A token may be written as `sha256=<64 hex digits>`, so that the text holds no secret.
Errors say which entry is wrong and what would be right, and quote none of it: any part may be a misplaced token.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import sha256

import msgspec


class Grant(StrEnum):
    """What a client may see."""

    READ = "read"
    ADMIN = "admin"  # everything that happened to a payment; includes read
    EMAIL = "email"  # customers' e-mail addresses in clear


class ApiClient(msgspec.Struct, frozen=True, kw_only=True):
    """One token of a client. A client may have several, while it changes from one to the next."""

    name: str
    grants: frozenset[Grant]
    digest: bytes
    """SHA-256 of the token, 32 bytes."""

    def __repr__(self) -> str:
        """Return who it is, without the digest: that of a weak token can be guessed."""
        return f"ApiClient({self.name!r}, {'+'.join(sorted(self.grants))})"


def digest_of(token: str) -> bytes:
    """Return what an ApiClient keeps of its token."""
    return sha256(token.encode()).digest()


def clients_of_list(told: str) -> tuple[ApiClient, ...]:
    """Return the clients of `told`, separated by commas. Raises ValueError, which says which entry is wrong."""
    return _clients((f"entry {number}", entry.strip()) for number, entry in enumerate(told.split(","), start=1))


def clients_of_lines(told: str) -> tuple[ApiClient, ...]:
    """Return the clients of `told`, one a line; `#` begins a comment line. Raises ValueError as above."""
    lines = ((f"line {number}", line.strip()) for number, line in enumerate(told.splitlines(), start=1))
    return _clients((place, line) for place, line in lines if not line.startswith("#"))


def check_distinct(clients: Iterable[ApiClient]) -> None:
    """Raise ValueError where two have the same token: whose it is would be chance."""
    seen: dict[bytes, str] = {}
    for client in clients:
        if client.digest in seen:
            raise ValueError(f"{seen[client.digest]} and {client.name} have the same token: give each its own")
        seen[client.digest] = client.name


def _clients(places: Iterable[tuple[str, str]]) -> tuple[ApiClient, ...]:
    clients = tuple(_every_client(places))
    check_distinct(clients)
    return clients


def _every_client(places: Iterable[tuple[str, str]]) -> Iterator[ApiClient]:
    for place, text in places:
        if text:
            try:
                yield _client(text)
            except ValueError as error:
                raise ValueError(f"{place} {error}") from None


def _client(text: str) -> ApiClient:
    name, *rest = text.split(":", maxsplit=_PARTS - 1)
    if len(rest) != _PARTS - 1:
        raise ValueError("must be name:grants:token, such as shop:read:<token>")
    if not _NAME.fullmatch(name):
        raise ValueError("must begin with a name of at most 64 letters, digits, '.', '_' and '-'")
    return ApiClient(name=name, grants=_grants(rest[0]), digest=_digest(rest[1]))


def _grants(text: str) -> frozenset[Grant]:
    words = set(text.split("+"))
    if not words <= set(Grant):
        raise ValueError(f"must name its grants as {', '.join(Grant)}, joined by +")
    grants = {Grant(word) for word in words}
    return frozenset(grants | {Grant.READ} if Grant.ADMIN in grants else grants)


def _digest(token: str) -> bytes:
    if token.startswith(_DIGEST_PREFIX):
        return _written_digest(token.removeprefix(_DIGEST_PREFIX))
    if len(token) < LEAST_CHARACTERS:
        raise ValueError(f"must have a token of at least {LEAST_CHARACTERS} characters: make a longer one")
    if not is_token(token):
        raise ValueError("must have a token of ASCII characters without blanks and commas")
    return digest_of(token)


def _written_digest(digits: str) -> bytes:
    if not _DIGEST.fullmatch(digits):
        raise ValueError("must have 64 hexadecimal digits after sha256=: those that sha256sum prints of the token")
    return bytes.fromhex(digits)


def is_token(text: str) -> bool:
    """Return whether `text` can be sent as a bearer token, and is not the digest of one."""
    return _TOKEN.fullmatch(text) is not None and not text.startswith(_DIGEST_PREFIX)


LEAST_CHARACTERS = 16
"""What a token must have: fewer can be guessed."""

_PARTS = 3
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[!-+\--~]+")  # visible ASCII but for the comma
_DIGEST_PREFIX = "sha256="
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
