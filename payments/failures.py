"""What can go wrong, as one tree. A failure is classified once, where it enters, and keeps its name from there on.

    Failure
    ├── Transient                   may go well when tried again, and nothing has taken effect
    │   ├── Unreachable             no connection was made
    │   │   ├── ConnectTimeout      nobody picked up in time
    │   │   ├── ConnectionRefused   nobody listens there
    │   │   ├── ConnectionAborted   broken off before the request was sent
    │   │   ├── DnsFailed           the name has no address
    │   │   ├── NetworkUnreachable  no way to the address
    │   │   ├── TlsFailed           no trust, or no common language
    │   │   └── PoolExhausted       every connection that this process may have was in use
    │   ├── Unavailable             the other end answered that it cannot serve now
    │   │   ├── ServiceUnavailable  503
    │   │   ├── Conflict            409, 425: what it is about is in use by somebody else
    │   │   └── Unanswered          a question that got no answer; a question changes nothing
    │   ├── Postponed               not the payment's fault: it waits, and no attempt is spent
    │   │   ├── RateLimited         429: the provider asks for a pause
    │   │   ├── RateExceeded        we would pass the provider's limit, so we did not ask
    │   │   ├── CircuitOpen         the breaker is open, so we did not ask
    │   │   └── BudgetSpent         the fleet has retried as much as it may
    │   ├── DatabaseAway            the connection to PostgreSQL is lost, or it answers too late
    │   ├── WriteConflict           the database chose another transaction
    │   │   ├── Deadlock
    │   │   └── SerializationFailure
    │   ├── OutOfOrder              what its payment needs first has not come (yet)
    │   ├── QueueAway               Redis does not answer
    │   ├── KafkaAway               the brokers do not answer
    │   ├── PublishFailed           a message was not confirmed
    │   │   ├── BrokerUnavailable
    │   │   ├── BrokerTimeout
    │   │   ├── LocalQueueFull
    │   │   ├── UnknownTopic
    │   │   └── KafkaUnauthorized
    │   └── MachineFault            this machine, or the other one, has not got what it needs
    │       ├── OutOfMemory
    │       ├── DiskFull
    │       └── ProcessCrashed      the worker died of it
    ├── Unknown                     may have taken effect or not, or nobody knows what it is
    │   ├── OutcomeUnknown          the request was sent and no answer came: it may have taken effect
    │   │   ├── AnswerTimeout       no answer in time
    │   │   ├── ConnectionReset     the connection broke after the request was sent
    │   │   ├── GatewayTimeout      504
    │   │   ├── ServerError         500, 502 and other 5xx
    │   │   ├── AnswerUnreadable    an answer came, and cannot be read
    │   │   ├── Undecided           the provider answers that it has not decided yet
    │   │   └── TimeLimitReached    our own time limit came in the middle of it
    │   └── Unexpected              nobody foresaw it: a bug, or an error that no border classified
    └── Permanent                   trying again cannot help
        ├── Undecodable             a record that is no payment event; names the JSON path
        ├── Refused                 the provider says that the request is wrong
        │   ├── BadRequest          400
        │   ├── Unauthorized        401: the key is wrong or has expired
        │   ├── Forbidden           403: the key may not do this
        │   ├── NotFound            404
        │   ├── ValidationFailed    422
        │   └── DuplicateRequest    the key was used for something else
        ├── Declined                the provider said no to this payer: an outcome (`payments.gateway.result`)
        │   ├── CardDeclined
        │   └── InsufficientFunds
        ├── RuleBroken              the event contradicts what its payment is (lifecycle)
        │   └── CapturedOtherAmount the provider took another amount than was asked for
        ├── AttemptsSpent           every allowed attempt failed, or ended with the death of its worker
        ├── CompensationFailed      what was done could not be taken back: somebody must look now
        ├── DataRefused             PostgreSQL cannot hold these very values; others it would take
        │   └── ConstraintViolation
        ├── StatementRefused        PostgreSQL does not understand our statement: a bug
        ├── SchemaMismatch          the tables are not those that this program knows
        ├── PublishRefused          the brokers will never take this message
        │   ├── MessageTooLarge
        │   └── SchemaInvalid
        ├── KafkaBroken             the client can do nothing more; only a new process mends it
        ├── OffsetLost              records were deleted before they were read
        └── ConfigurationError      a setting is missing or wrong

The tree is also the order of policy: a type is answered by the policy of its own name where there is one, otherwise by
that of the type above it (`payments.policies`). `kind` is that name: the class in snake_case.

Failures travel through Celery and Flower, so their text never holds personal data: a code, a service, an operation,
words of ours, and the provider's own words once they have been through `payments.redaction`. All survive pickling.
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Self


class Failure(Exception):
    """Base of the tree.

    `code` is for machines and stable: the provider's own code where it gave one, otherwise the kind. `service` and
    `operation` say where it happened, `correlation_id` and `attempt` to which event and at which try of it, as soon as
    that is known. `provider_message` is what the provider wrote, redacted.
    """

    kind: ClassVar[str] = "failure"
    blames_dependency: ClassVar[bool] = False
    """Whether it speaks against the health of the other end, so that a breaker should count it."""

    def __init_subclass__(cls, **rest: object) -> None:
        super().__init_subclass__(**rest)
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        service: str = "payferry",
        operation: str = "",
        provider_message: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.kind
        self.service = service
        self.operation = operation
        self.provider_message = provider_message
        self.correlation_id: str | None = None
        self.attempt: int | None = None

    def at(self, correlation_id: str, attempt: int) -> Self:
        """Note which event met this failure, and at which try of it; return the failure."""
        self.correlation_id = correlation_id
        self.attempt = attempt
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args, self.__dict__.copy())

    def __str__(self) -> str:
        where = f"{self.service} {self.operation}".strip()
        return f"{self.code}: {self.message} ({where})"


class Transient(Failure):
    """May go well when tried again, and nothing has taken effect."""


class Unreachable(Transient):
    """No connection was made. Nothing took effect."""

    blames_dependency = True


class ConnectTimeout(Unreachable):
    """Nobody picked up in time."""


class ConnectionRefused(Unreachable):
    """Nobody listens there."""


class ConnectionAborted(Unreachable):
    """The connection was broken off before the request was sent."""


class DnsFailed(Unreachable):
    """The name has no address."""


class NetworkUnreachable(Unreachable):
    """There is no way to the address."""


class TlsFailed(Unreachable):
    """The certificate is not trusted, or the two ends have no common language."""


class PoolExhausted(Unreachable):
    """Every connection that this process may have was in use, perhaps by calls to somebody else."""

    blames_dependency = False


class Unavailable(Transient):
    """The other end answered, and cannot serve now. `retry_after_seconds` is the pause that it asked for, if it did."""

    blames_dependency = True
    retry_after_seconds: float | None = None


class ServiceUnavailable(Unavailable):
    """Status 503."""


class Conflict(Unavailable):
    """What the request is about is in use by somebody else. The other end is well."""

    blames_dependency = False


class Unanswered(Unavailable):
    """A question that got no answer, or one that cannot be used. A question changes nothing."""


class Postponed(Transient):
    """Not the payment's fault: it waits `retry_after_seconds` or longer, and no attempt is spent."""

    def __init__(self, message: str, *, retry_after_seconds: float, **where: str) -> None:
        super().__init__(message, **where)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(Postponed):
    """The provider asks for a pause."""


class RateExceeded(Postponed):
    """We would pass the provider's limit, so it was not asked."""


class CircuitOpen(Postponed):
    """The breaker is open, so the other end was not asked."""


class BudgetSpent(Postponed):
    """The fleet has retried as much as it may for now, so the other end was not asked."""


class DatabaseAway(Transient):
    """No answer from the ledger. What was asked may or may not have been done; every statement may be repeated."""

    blames_dependency = True


class WriteConflict(Transient):
    """The database chose another transaction. Nothing was written."""


class Deadlock(WriteConflict):
    """Two transactions waited for each other, and ours was ended."""


class SerializationFailure(WriteConflict):
    """Another transaction changed what ours had read."""


class OutOfOrder(Transient):
    """What its payment needs first has not come in time. Once it comes, this goes well."""


class QueueAway(Transient):
    """Redis does not answer. What was sent may or may not have arrived."""

    blames_dependency = True


class KafkaAway(Transient):
    """The brokers do not answer."""

    blames_dependency = True


class PublishFailed(Transient):
    """The brokers did not confirm. What was sent may stand in the topic all the same, so it may be sent twice.

    `unconfirmed` are the places in the batch of the messages that were not confirmed; None: all of them.
    """

    blames_dependency = True
    unconfirmed: frozenset[int] | None = None


class BrokerUnavailable(PublishFailed):
    """No broker can be reached, or none leads the partition."""


class BrokerTimeout(PublishFailed):
    """No broker answered in time."""


class LocalQueueFull(PublishFailed):
    """The client's own queue is full, because the brokers take too little."""


class UnknownTopic(PublishFailed):
    """The topic does not exist (yet)."""

    blames_dependency = False


class KafkaUnauthorized(PublishFailed):
    """The brokers refuse our login, or our right to the topic. It goes well once somebody has set that right."""

    blames_dependency = False


class MachineFault(Transient):
    """A machine has not got what it needs."""


class OutOfMemory(MachineFault):
    """No memory was left."""


class DiskFull(MachineFault):
    """No room was left on a disk."""


class ProcessCrashed(MachineFault):
    """The process that worked on it died."""


class Unknown(Failure):
    """May have taken effect or not, or nobody knows what it is."""


class OutcomeUnknown(Unknown):
    """The request was sent and no answer came back. Ask before it is repeated, and repeat under the same key."""

    blames_dependency = True


class AnswerTimeout(OutcomeUnknown):
    """No answer came in time."""


class ConnectionReset(OutcomeUnknown):
    """The connection broke after the request was sent."""


class GatewayTimeout(OutcomeUnknown):
    """Status 504: somebody in between got no answer in time."""


class ServerError(OutcomeUnknown):
    """Status 500, 502 or another 5xx: the work may have been done all the same."""


class AnswerUnreadable(OutcomeUnknown):
    """An answer came, and cannot be read."""


class Undecided(OutcomeUnknown):
    """The provider answers that it has not decided yet. It is well."""

    blames_dependency = False


class TimeLimitReached(OutcomeUnknown):
    """Our own time limit came in the middle of it."""


class Unexpected(Unknown):
    """Nobody foresaw it."""


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


class BadRequest(Refused):
    """Status 400."""


class Unauthorized(Refused):
    """Status 401: our key is wrong or has expired."""


class Forbidden(Refused):
    """Status 403: our key may not do this."""


class NotFound(Refused):
    """Status 404: the provider does not know what the request is about."""


class ValidationFailed(Refused):
    """Status 422: the request is understood, and cannot be done."""


class DuplicateRequest(Refused):
    """The idempotency key, or the invoice, was used for something else."""


class Declined(Permanent):
    """The provider said no to this payer. An outcome, not an outage: it ends an event well and is never raised."""


class CardDeclined(Declined):
    """The payer's bank or the provider said no."""


class InsufficientFunds(Declined):
    """The payer has not got the money."""


class RuleBroken(Permanent):
    """The event contradicts what its payment is."""


class CapturedOtherAmount(RuleBroken):
    """The provider took another amount than was asked for."""


class AttemptsSpent(Permanent):
    """Every allowed attempt failed, or ended with the death of its worker."""


class CompensationFailed(Permanent):
    """What was done at the provider could not be taken back. Somebody must look now."""


class DataRefused(Permanent):
    """PostgreSQL cannot hold these very values (SQLSTATE classes 22 and 23). Others it would take."""


class ConstraintViolation(DataRefused):
    """The values break a rule that the tables keep (SQLSTATE class 23)."""


class StatementRefused(Permanent):
    """PostgreSQL does not understand our statement, or does not allow it: a bug, or a right that is missing."""


class SchemaMismatch(Permanent):
    """The tables are not those that this program knows."""


class PublishRefused(Permanent):
    """The brokers will never take this message. They are well. `unconfirmed` is as in PublishFailed."""

    unconfirmed: frozenset[int] | None = None


class MessageTooLarge(PublishRefused):
    """The message is larger than the brokers allow."""


class SchemaInvalid(PublishRefused):
    """The brokers, or their schema registry, say that the message has not the form that its topic wants."""


class KafkaBroken(Permanent):
    """The client can do nothing more, as when another has taken its name. Only a new process mends it."""


class OffsetLost(Permanent):
    """Records were deleted before they were read."""


class ConfigurationError(Permanent):
    """A setting is missing or wrong; the message names it."""


def kinds() -> dict[str, type[Failure]]:
    """Return every type of the tree by its name."""
    return {kind.kind: kind for kind in _below(Failure)}


def category_of(kind: type[Failure]) -> str:
    """Return which of the three branches of the tree the type is on: `transient`, `unknown` or `permanent`."""
    branch = next((each for each in (Transient, Permanent) if issubclass(kind, each)), Unknown)
    return branch.kind


def lineage(kind: type[Failure]) -> tuple[str, ...]:
    """Return the names from the root of the tree down to `kind`, in which order policies are laid over each other."""
    return tuple(above.kind for above in reversed(kind.__mro__) if issubclass(above, Failure))


def _below(kind: type[Failure]) -> Iterator[type[Failure]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


def _revive(kind: type[Failure], args: tuple[Any, ...], state: dict[str, Any]) -> Failure:
    """Rebuild a pickled failure without calling its own constructor, whose arguments differ by type."""
    failure = kind.__new__(kind, *args)
    failure.args = args
    failure.__dict__.update(state)
    return failure
