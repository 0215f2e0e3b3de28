"""From the bytes of a record to one normalised event."""

from payments.event import Event, Provider
from payments.providers import canonical, document, paypal, razorpay, stripe
from payments.providers.recognise import event_type, marks_of, recognise

MAX_BYTES = 1_048_576


def decode_event(
    raw: bytes, *, provider: Provider | None = None, event_id: str | None = None, max_bytes: int = MAX_BYTES
) -> Event:
    """Return what a provider's message means. Raises payments.failures.Undecodable and nothing else.

    `provider` forces a provider's shape; without it the message is recognised. `event_id` is the value of Razorpay's
    header `x-razorpay-event-id`, where the record carries one: Razorpay names its events nowhere else. It is not looked
    at for other providers.
    """
    document.check(raw, max_bytes)
    try:
        return _decode(raw, provider, event_id)
    except (ValueError, OverflowError, RecursionError) as error:  # msgspec's and Unicode's errors are ValueErrors
        refused = document.refusal(error)
    raise refused  # out here, so that the decoder's error, which may quote the record, is not chained to it


def _decode(raw: bytes, provider: Provider | None, event_id: str | None) -> Event:
    marks = marks_of(raw)
    provider = provider or recognise(marks)
    if provider is Provider.STRIPE:
        return stripe.decode(raw, event_type(marks, provider))
    if provider is Provider.RAZORPAY:
        return razorpay.decode(raw, event_type(marks, provider), event_id)
    if provider is Provider.PAYPAL:
        return paypal.decode(raw, event_type(marks, provider))
    return canonical.decode(raw)
