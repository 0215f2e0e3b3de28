"""What a client asks for, checked: a wrong field is named, with what would be right."""

import re
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from payferry.v1 import payment_pb2 as pb
from payments.event import Provider
from payments.money import EXPONENTS
from payments.payment import Status
from payments.view import PaymentFilter
from workers.api.refusals import invalid_argument

DEFAULT_LIMIT = 10
LARGEST_LIMIT = 100
_MAX_ID_CHARS = 512
_ID = re.compile(r"[a-z]+:[^\x00-\x1f\x7f]+")


def checked_id(text: str) -> str:
    """Return the id of a payment. Raises Refusal."""
    if not text:
        raise invalid_argument("id", "missing: send provider:id, such as stripe:pi_123")
    if len(text) > _MAX_ID_CHARS or not _ID.fullmatch(text) or text.partition(":")[0] not in set(Provider):
        raise invalid_argument("id", "must be provider:id, such as stripe:pi_123; providers: " + ", ".join(Provider))
    return text


def checked_limit(limit: int) -> int:
    """Return how many payments a page may hold. Raises Refusal."""
    if limit < 0:
        raise invalid_argument("limit", f"must not be negative; 0 means {DEFAULT_LIMIT}")
    return min(limit or DEFAULT_LIMIT, LARGEST_LIMIT)


def checked_filter(told: pb.PaymentFilter) -> PaymentFilter:
    """Return which payments are wanted. Raises Refusal."""
    wanted = PaymentFilter(
        providers=tuple(sorted({_provider(number) for number in told.providers})),
        statuses=tuple(sorted({_status(number) for number in told.statuses})),
        currencies=tuple(sorted({_currency(text) for text in told.currencies})),
        customer_reference=_reference(told.customer_reference),
        created_from=_moment(told, "created_from"),
        created_until=_moment(told, "created_until"),
    )
    if wanted.created_from and wanted.created_until and wanted.created_from >= wanted.created_until:
        raise invalid_argument("filter.created_until", "must be after filter.created_from")
    return wanted


def _provider(number: int) -> Provider:
    if number in PROVIDERS:
        return PROVIDERS[number]
    raise invalid_argument("filter.providers", "not one of " + ", ".join(pb.Provider.keys()[1:]))


def _status(number: int) -> Status:
    if number in STATUSES:
        return STATUSES[number]
    raise invalid_argument("filter.statuses", "not one of " + ", ".join(pb.PaymentStatus.keys()[1:]))


def _currency(text: str) -> str:
    if (code := text.upper()) in EXPONENTS and code.isascii():
        return code
    raise invalid_argument("filter.currencies", "not an active ISO 4217 currency code, such as EUR")


def _reference(text: str) -> str | None:
    if len(text) > _MAX_ID_CHARS or "\x00" in text:
        raise invalid_argument("filter.customer_reference", "longer than any reference, or holds a NUL character")
    return text or None


def _moment(told: pb.PaymentFilter, field: str) -> datetime | None:
    if not told.HasField(field):
        return None
    stamp: Timestamp = getattr(told, field)
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        problem = "not a moment between the years 1 and 9999"
    raise invalid_argument(f"filter.{field}", problem)


PROVIDERS = {pb.Provider.Value(f"PROVIDER_{each.name}"): each for each in Provider}
STATUSES = {pb.PaymentStatus.Value(f"PAYMENT_STATUS_{each.name}"): each for each in Status}
