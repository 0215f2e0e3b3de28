"""What can go wrong, as one tree. A failure is classified once, where it enters, and keeps its name from there on.

    Failure
    ├── Transient                 may go well when tried again
    │   ├── Unreachable           no connection was made, so nothing happened at the other end
    │   ├── Unavailable           the other end answered that it cannot serve now (5xx, in use elsewhere)
    │   └── RateLimited           the other end asks for a pause; carries how long
    ├── Unexpected                nobody foresaw it: a bug, or an error that no border classified
    ├── OutcomeUnknown            the request was sent and no answer came: it may have taken effect
    └── Permanent                 trying again cannot help
        ├── Undecodable           a record that is no payment event; names the JSON path
        ├── Refused               the provider says the request is wrong (4xx)
        ├── RuleBroken            the event contradicts what its payment is (lifecycle)
        └── AttemptsSpent         every allowed attempt failed, or ended with the death of its worker

A declined card is no failure: it is an outcome (see `payments.gateway.result`).
Failures travel through Celery and Flower, so their text never holds personal data: a code, a service, an operation, and
words of ours. All survive pickling.
"""

from typing import Any


class Failure(Exception):
    """Base of the tree. `code` is for machines and stable; `service` and `operation` say where it happened."""

    def __init__(self, message: str, *, code: str, service: str = "payferry", operation: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.service = service
        self.operation = operation

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args, self.__dict__.copy())

    def __str__(self) -> str:
        where = f"{self.service} {self.operation}".strip()
        return f"{self.code}: {self.message} ({where})"


class Transient(Failure):
    """May go well when tried again."""


class Unreachable(Transient):
    """No connection was made: refused, DNS, connect timeout. Nothing took effect."""


class Unavailable(Transient):
    """The other end answered, and cannot serve now."""


class RateLimited(Transient):
    """The other end asks for a pause of `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: float, **where: str) -> None:
        super().__init__(message, **where)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(Failure):
    """The request was sent and no answer came back. Repeat only under the same idempotency key."""


class Unexpected(Failure):
    """Nobody foresaw it. Tried again as often as a transient failure, then buried."""


class Permanent(Failure):
    """Trying again cannot help."""


class Undecodable(Permanent):
    """A record that is no payment event. `path` is a JSON path such as `$.data.object.amount`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", code="undecodable", operation="decode")
        self.path = path
        self.reason = reason


class Refused(Permanent):
    """The provider says that the request is wrong. Repeating it unchanged would be refused again."""


class RuleBroken(Permanent):
    """The event contradicts what its payment is."""


class AttemptsSpent(Permanent):
    """Every allowed attempt failed, or ended with the death of its worker."""


def _revive(kind: type[Failure], args: tuple[Any, ...], state: dict[str, Any]) -> Failure:
    """Rebuild a pickled failure without calling its own constructor, whose arguments differ by type."""
    failure = kind.__new__(kind, *args)
    failure.args = args
    failure.__dict__.update(state)
    return failure
