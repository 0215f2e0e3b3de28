"""The names of providers and statuses: lower-case text here, members of an enum on the wire."""

from difflib import get_close_matches

from payferry.v1 import payment_pb2 as messages
from payments.failures import BadRequest

_PROVIDER = "PROVIDER_"
_STATUS = "PAYMENT_STATUS_"


def provider_name(number: int) -> str:
    """Return a provider's name; `unknown_9` for one that only a newer server knows."""
    try:
        return messages.Provider.Name(number).removeprefix(_PROVIDER).lower()
    except ValueError:
        return f"unknown_{number}"


def status_name(number: int) -> str:
    """Return a status' name, likewise."""
    try:
        return messages.PaymentStatus.Name(number).removeprefix(_STATUS).lower()
    except ValueError:
        return f"unknown_{number}"


def provider_member(name: str) -> str:
    """Return the name that the enum has for a provider. Raises BadRequest, which names those that there are."""
    _check("provider", name, PROVIDERS)
    return _PROVIDER + name.upper()


def status_member(name: str) -> str:
    """Return the name that the enum has for a status. Raises BadRequest, which names those that there are."""
    _check("status", name, STATUSES)
    return _STATUS + name.upper()


def _check(field: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        told = f"{field} {name!r} is none of {', '.join(known)}{hint}"
        raise BadRequest(told, service="api", operation="filter")


PROVIDERS = tuple(name.removeprefix(_PROVIDER).lower() for name in messages.Provider.keys()[1:])
"""stripe, razorpay, …: all but PROVIDER_UNSPECIFIED."""

STATUSES = tuple(name.removeprefix(_STATUS).lower() for name in messages.PaymentStatus.keys()[1:])
"""pending, authorized, …"""
