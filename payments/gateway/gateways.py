"""The gateways of one process, all on one pool of connections."""

import time
from collections.abc import Callable, Mapping

from payments.event import Provider
from payments.gateway.canonical import CanonicalGateway
from payments.gateway.client import Client, ClientPolicy, Tell, pooled_client, silent
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateway import Gateway
from payments.gateway.paypal import PayPalGateway
from payments.gateway.razorpay import RazorpayGateway
from payments.gateway.stripe import StripeGateway


def build_gateways(
    endpoints: Mapping[Provider, Endpoint],
    policy: ClientPolicy,
    client: Client | None = None,
    tell: Tell = silent,
) -> Mapping[Provider, Gateway]:
    """Return a gateway for each endpoint. Call it once in every process, after the fork; never at import.

    `tell` is told of each exchange, where `client` is not given.
    """
    if client is None:
        secure = any(e.base_url.startswith("https:") for e in endpoints.values())
        client = pooled_client(policy, secure=secure, tell=tell)
    return {provider: _GATEWAYS[provider](client, endpoint, time.time) for provider, endpoint in endpoints.items()}


_GATEWAYS: Mapping[Provider, Callable[[Client, Endpoint, Callable[[], float]], Gateway]] = {
    Provider.STRIPE: StripeGateway,
    Provider.RAZORPAY: RazorpayGateway,
    Provider.PAYPAL: PayPalGateway,
    Provider.CANONICAL: CanonicalGateway,
}
