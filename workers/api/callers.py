"""Who is calling: the client whose bearer token came with the call (RFC 6750), and what it may see."""

from collections.abc import Iterable
from contextvars import ContextVar

from config.settings import ApiClient, Grant, digest_of
from workers.api.refusals import permission_denied, unauthenticated

_SCHEME = "bearer "

caller: ContextVar[ApiClient] = ContextVar("caller")
"""The client of the call that this task serves."""


class Callers:
    """The clients that may call, by the digests of their tokens: a look-up tells nothing of how near a guess came."""

    def __init__(self, clients: Iterable[ApiClient]) -> None:
        self._clients = {client.digest: client for client in clients}

    @property
    def names(self) -> frozenset[str]:
        """What the clients are called."""
        return frozenset(client.name for client in self._clients.values())

    def admit(self, authorization: str | None, grant: Grant) -> ApiClient:
        """Return the client that sent this header. Raises Refusal where nobody has this token, or it lacks `grant`."""
        if authorization is None:
            raise unauthenticated("send the header authorization: Bearer <token>")
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise unauthenticated("the header authorization must be Bearer <token>")
        client = self._clients.get(digest_of(authorization[len(_SCHEME) :].strip()))
        if client is None:
            raise unauthenticated("nobody has this token")
        if grant not in client.grants:
            raise permission_denied(grant)
        return client


def sees_emails() -> bool:
    """Return whether the client of this call may see e-mail addresses in clear."""
    return Grant.EMAIL in caller.get().grants
