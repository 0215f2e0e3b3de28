import pytest

from payments.borders.provider_codes import decline_of, kind_told
from payments.event import Provider
from payments.failures import CardDeclined, Conflict, InsufficientFunds, RateLimited, ServerError


def test_a_code_is_heard_with_a_4xx_and_only_there() -> None:
    assert kind_told("stripe", 429, "lock_timeout") is Conflict
    assert kind_told("stripe", 500, "lock_timeout") is None
    assert kind_told("stripe", 302, "lock_timeout") is None


def test_a_code_is_its_providers_own() -> None:
    assert kind_told("razorpay", 400, "lock_timeout") is None
    assert kind_told("adyen", 400, "lock_timeout") is None
    assert kind_told("paypal", 429, "RATE_LIMIT_REACHED") is RateLimited


def test_a_code_that_nobody_has_confirmed_leaves_it_to_the_status() -> None:
    assert kind_told("stripe", 400, "some_new_code") is None
    assert kind_told("stripe", 400, None) is None


def test_a_gateway_error_of_razorpay_leaves_the_outcome_open_whatever_the_status() -> None:
    assert kind_told("razorpay", 400, "GATEWAY_ERROR") is ServerError


@pytest.mark.parametrize("provider", list(Provider))
def test_want_of_money_is_told_from_every_other_decline(provider: Provider) -> None:
    code = "INSUFFICIENT_FUNDS" if provider is Provider.PAYPAL else "insufficient_funds"
    assert decline_of(provider, code) is InsufficientFunds
    assert decline_of(provider, "expired_card") is CardDeclined
    assert decline_of(provider, None) is CardDeclined


@pytest.mark.parametrize("code", ["try_again_later", "processing_error", "issuer_not_available"])
def test_a_decline_that_invites_to_try_again_is_a_decline(code: str) -> None:
    assert decline_of("stripe", code) is CardDeclined
