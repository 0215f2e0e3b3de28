"""The gateways of one process, all on one pool of connections."""

import time
from collections.abc import Callable, Mapping
from functools import partial

from payments.event import Provider
from payments.gateway.canonical import CanonicalGateway
from payments.gateway.client import Client, ClientPolicy, Tell, pooled_client, silent
from payments.gateway.endpoint import Beside, Endpoint, nothing_beside
from payments.gateway.gateway import Gateway
from payments.gateway.paypal import PayPalGateway
from payments.gateway.razorpay import RazorpayGateway
from payments.gateway.stripe import StripeGateway


def build_gateways(
    endpoints: Mapping[Provider, Endpoint],
    policy: ClientPolicy,
    client: Client | None = None,
    tell: Tell = silent,
    beside: Beside = nothing_beside,
) -> Mapping[Provider, Gateway]:
    """Return a gateway for each endpoint. Call it once in every process, after the fork; never at import.

    `tell` is told of each exchange, where `client` is not given. What `beside` tells goes to the canonical processor
    alone: strangers learn no names of ours.
    """
    if client is None:
        secure = any(e.base_url.startswith("https:") for e in endpoints.values())
        client = pooled_client(policy, secure=secure, tell=tell)
    makers: Mapping[Provider, _Make] = {**_GATEWAYS, Provider.CANONICAL: partial(CanonicalGateway, beside=beside)}
    return {provider: makers[provider](client, endpoint, time.time) for provider, endpoint in endpoints.items()}


_Make = Callable[[Client, Endpoint, Callable[[], float]], Gateway]

_GATEWAYS: Mapping[Provider, _Make] = {
    Provider.STRIPE: StripeGateway,
    Provider.RAZORPAY: RazorpayGateway,
    Provider.PAYPAL: PayPalGateway,
}
