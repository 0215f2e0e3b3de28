"""What can be set of calls to the providers."""

from pydantic import SecretStr

from config.settings.group import Group, setting


class GatewaySettings(Group):
    """Where the providers are, and how long they may take."""

    sandbox_url: str = setting(
        "SANDBOX_URL",
        default="",
        about="Base URL of `payferry sandbox`. Every provider without a base URL of its own is played by it.",
    )
    stripe_base_url: str = setting("STRIPE_BASE_URL", default="", about="Such as https://api.stripe.com.")
    stripe_api_key: SecretStr = setting("STRIPE_API_KEY", default=SecretStr("sandbox"), about="Secret key.")
    razorpay_base_url: str = setting("RAZORPAY_BASE_URL", default="", about="Such as https://api.razorpay.com.")
    razorpay_api_key: SecretStr = setting(
        "RAZORPAY_API_KEY", default=SecretStr("sandbox:sandbox"), about="key_id:key_secret."
    )
    paypal_base_url: str = setting("PAYPAL_BASE_URL", default="", about="Such as https://api-m.paypal.com.")
    paypal_api_key: SecretStr = setting("PAYPAL_API_KEY", default=SecretStr("sandbox"), about="Access token.")
    canonical_base_url: str = setting(
        "CANONICAL_BASE_URL",
        default="",
        about="Base URL of your own processor, which speaks docs/sandbox.md's protocol.",
    )
    canonical_api_key: SecretStr = setting("CANONICAL_API_KEY", default=SecretStr("sandbox"), about="Bearer token.")
    connect_timeout_seconds: float = setting(
        "GATEWAY_CONNECT_TIMEOUT_SECONDS", default=2.0, gt=0, le=3600, about="To connect."
    )
    total_timeout_seconds: float = setting(
        "GATEWAY_TIMEOUT_SECONDS", default=3.5, gt=0, le=3600, about="One call, from start to last byte."
    )
    max_connections: int = setting("GATEWAY_MAX_CONNECTIONS", default=100, ge=1, about="Open at once in one process.")
