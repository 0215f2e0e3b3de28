"""What an HTTP status that is not a success means, as a failure."""

import re
from email.utils import parsedate_to_datetime

from payments.failures import Failure, RateLimited, Refused, Unavailable
from payments.gateway.client import Reply, lost

DEFAULT_RETRY_AFTER_SECONDS = 1.0
"""For a 429 that does not say how long; the caller's backoff grows from there."""

MAX_RETRY_AFTER_SECONDS = 3600.0

_BUSY = frozenset({408, 409, 425, 503})
"""The provider says that it did not do the work: come again. RFC 9110 and RFC 8470; 409 is a key or payment in use."""

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def failure_of_status(reply: Reply, code: str | None, now: float) -> Failure:
    """Return the failure that `reply` stands for.

    `code` is the provider's own error code, if it gave one; `now` is in seconds since 1970 and turns a date in
    Retry-After into a pause. A 5xx other than 503 leaves open whether the work was done, as Stripe's and PayPal's pages
    on errors and idempotency say: it may only be repeated under the same key.
    """
    call, status = reply.call, reply.status
    where = {"code": _code_or(code, f"http_{status}"), **call.where}
    if status == 429:  # noqa: PLR2004  # Too Many Requests, RFC 6585
        pause = retry_after_seconds(reply.headers.get("retry-after"), now)
        return RateLimited("the provider asks for a pause", retry_after_seconds=pause, **where)
    if status in _BUSY:
        return Unavailable(f"the provider cannot serve now (status {status})", **where)
    if status >= 500:  # noqa: PLR2004  # server errors, RFC 9110 section 15.6
        return lost(call, f"the provider failed (status {status})", where["code"])
    return Refused(f"the provider refused the request (status {status})", **where)


def retry_after_seconds(value: str | None, now: float) -> float:
    """Return the pause that a Retry-After header asks for: seconds or an HTTP date (RFC 9110, section 10.2.3)."""
    if value is None:
        return DEFAULT_RETRY_AFTER_SECONDS
    try:
        seconds = float(value) if value.strip().isdecimal() else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return DEFAULT_RETRY_AFTER_SECONDS
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _code_or(code: str | None, otherwise: str) -> str:
    """Return the provider's code where it looks like a code, so that no free text gets into a failure."""
    return code if code is not None and _CODE.fullmatch(code) else otherwise
