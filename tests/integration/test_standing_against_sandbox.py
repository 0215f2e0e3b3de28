"""How a payment stands at each provider, asked over real connections, and what can be taken back."""

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from payments.event import Provider
from payments.failures import OutcomeUnknown, Refused, Unavailable
from payments.gateway.gateway import Gateway
from payments.gateway.result import Answer, Charge, Stage, Standing, Verb, Verdict
from tests.sandbox_process import HASTY, Sandbox

PROVIDERS = list(Provider)
WITH_VOID = [Provider.STRIPE, Provider.PAYPAL, Provider.CANONICAL]
LIFE: list[Verb] = ["authorize", "capture", "refund"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.put_faults()
    return running


@pytest.fixture
def charge(request: pytest.FixtureRequest) -> Charge:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return Charge(payment_id=f"id-{name}", amount_minor=12_345, currency="USD")


def of(charge: Charge, amount_minor: int) -> Charge:
    return msgspec.structs.replace(charge, amount_minor=amount_minor)


def stood(gateway: Gateway, charge: Charge) -> Standing:
    standing = gateway.stand(charge)
    assert standing is not None
    return standing


def act(gateway: Gateway, verb: Verb, charge: Charge, key: str | None = None) -> Answer:
    answer: Answer = getattr(gateway, verb)(charge, key or f"{verb}-{charge.payment_id}")
    return answer


def brought(gateway: Gateway, charge: Charge, *verbs: Verb) -> Charge:
    """Take the steps, and return the charge with the ids that they made."""
    for verb in verbs:
        made = act(gateway, verb, charge).reference_id
        if verb == "authorize":
            charge = msgspec.structs.replace(charge, authorization_id=made)
        if verb == "capture":
            charge = msgspec.structs.replace(charge, capture_id=made)
    return charge


def told(standing: Standing) -> tuple[Stage, int, int]:
    return standing.stage, standing.captured_minor, standing.refunded_minor


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_stands_where_each_step_has_left_it(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    reserved = brought(gateway, charge, "authorize")
    assert told(stood(gateway, reserved)) == (Stage.AUTHORIZED, 0, 0)
    taken = brought(gateway, reserved, "capture")
    assert told(stood(gateway, taken)) == (Stage.CAPTURED, 12_345, 0)
    act(gateway, "refund", of(taken, 345))
    assert told(stood(gateway, taken)) == (Stage.CAPTURED, 12_345, 345)
    act(gateway, "refund", of(taken, 12_000), key="the-rest-" + provider)
    assert told(stood(gateway, taken)) == (Stage.CAPTURED, 12_345, 12_345)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_standing_gives_the_answer_that_the_step_gave(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    for verb in LIFE:
        before = gateway.stand(charge)
        assert before is None or before.answer_to(verb, charge) is None
        answer = act(gateway, verb, charge)
        assert stood(gateway, charge).answer_to(verb, charge) == answer
        ids = {"authorize": "authorization_id", "capture": "capture_id"}
        if verb in ids:
            charge = msgspec.structs.replace(charge, **{ids[verb]: answer.reference_id})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_is_found_by_its_first_id_alone(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    known = charge
    for verb in LIFE:
        known = brought(gateway, known, verb)
        assert stood(gateway, charge) == stood(gateway, known)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_never_seen_has_not_begun(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    standing = sandbox.gateways()[provider].stand(charge)
    assert standing is None or standing == Standing(stage=Stage.OPEN)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_strict_provider_does_not_know_it(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"strict": True}})
    assert sandbox.gateways()[provider].stand(charge) is None


@pytest.mark.parametrize("provider", WITH_VOID)
def test_a_void_stands_and_is_done_once_under_any_key(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    reserved = brought(gateway, charge, "authorize")
    answers = [act(gateway, "void", reserved, key) for key in ("one" + charge.payment_id, "two" + charge.payment_id)]
    assert told(stood(gateway, reserved)) == (Stage.VOIDED, 0, 0)
    assert stood(gateway, reserved).answer_to("void", reserved) == answers[0] == answers[1]
    assert [effect["action"] for effect in sandbox.effects(charge.payment_id)] == ["authorize", "void"]


def test_a_razorpay_payment_that_lapsed_is_voided_and_gave_nothing_back(sandbox: Sandbox, charge: Charge) -> None:
    seed = {"amount_minor": 12_345, "currency": "USD", "state": "voided"}
    sandbox.http.put(f"/sandbox/payments/razorpay/{charge.payment_id}", json=seed).raise_for_status()
    gateway = sandbox.gateways()[Provider.RAZORPAY]
    assert told(stood(gateway, charge)) == (Stage.VOIDED, 0, 0)
    assert act(gateway, "void", charge).verdict is Verdict.DONE


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_captured_payment_cannot_be_voided(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    taken = brought(gateway, charge, "authorize", "capture")
    with pytest.raises(Refused):
        act(gateway, "void", taken)
    assert stood(gateway, taken).stage is Stage.CAPTURED


@pytest.mark.parametrize("provider", [Provider.STRIPE, Provider.RAZORPAY, Provider.CANONICAL])
def test_a_decline_stands_until_it_goes_well(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    sandbox.put_faults(**{provider: {"decline_rate": 1}})
    declined = act(gateway, "authorize", charge)
    assert declined.verdict is Verdict.DECLINED
    assert stood(gateway, charge).answer_to("authorize", charge) == declined
    sandbox.put_faults()
    act(gateway, "authorize", charge, key="another-card-" + provider)
    assert stood(gateway, charge).stage is Stage.AUTHORIZED


def test_a_paypal_order_whose_payer_was_declined_is_open_still(sandbox: Sandbox, charge: Charge) -> None:
    gateway = sandbox.gateways()[Provider.PAYPAL]
    sandbox.put_faults(paypal={"decline_rate": 1})
    assert act(gateway, "authorize", charge).verdict is Verdict.DECLINED
    assert stood(gateway, charge) == Standing(stage=Stage.OPEN)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("verb", ["authorize", "capture", "void", "refund"])
def test_what_took_effect_and_was_not_answered_is_seen(
    sandbox: Sandbox, provider: Provider, verb: Verb, charge: Charge
) -> None:
    if provider is Provider.RAZORPAY and verb == "void":
        return  # nothing is sent there, so nothing gets lost
    gateway = sandbox.gateways(HASTY)[provider]
    before: dict[Verb, list[Verb]] = {"capture": LIFE[:1], "void": LIFE[:1], "refund": LIFE[:2]}
    known = brought(gateway, charge, *before.get(verb, []))
    sandbox.put_faults(**{provider: {"timeout_after_effect_rate": 1, "only": [verb]}})
    with pytest.raises(OutcomeUnknown):
        act(gateway, verb, known)
    seen = stood(gateway, known).answer_to(verb, known)
    sandbox.put_faults()
    assert seen == act(gateway, verb, known)
    assert [effect["action"] for effect in sandbox.effects(charge.payment_id)].count(verb) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("verb", ["authorize", "capture", "refund"])
def test_what_was_lost_on_its_way_there_is_seen_not_to_have_happened(
    sandbox: Sandbox, provider: Provider, verb: Verb, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    known = brought(gateway, charge, *LIFE[: LIFE.index(verb)])
    sandbox.put_faults(**{provider: {"drop_before_effect_rate": 1, "only": [verb]}})
    with pytest.raises(OutcomeUnknown):
        act(gateway, verb, known)
    standing = gateway.stand(known)
    assert standing is None or standing.answer_to(verb, known) is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refund_is_made_once_for_a_key_and_again_for_another(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    part = of(brought(gateway, charge, "authorize", "capture"), 1000)
    first, repeated = (act(gateway, "refund", part) for _ in range(2))
    assert first == repeated
    assert stood(gateway, part).refunded_minor == 1000
    second = act(gateway, "refund", part, key="another-refund-" + provider)
    assert second.reference_id != first.reference_id
    assert told(stood(gateway, part)) == (Stage.CAPTURED, 12_345, 2000)
    assert stood(gateway, part).refund_id == second.reference_id


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_authorised_elsewhere_can_be_voided_after_its_capture_was_refused(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    sandbox.put_faults(**{provider: {"refuse_verbs": ["capture"]}})
    with pytest.raises(Refused) as caught:
        act(gateway, "capture", charge)
    assert caught.value.code == "refused_by_sandbox"
    assert stood(gateway, charge).stage is Stage.AUTHORIZED
    assert act(gateway, "void", charge).verdict is Verdict.DONE
    with pytest.raises(Refused):
        act(gateway, "capture", charge)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("extra_minor", [5, -345])
def test_another_amount_than_was_asked_for_is_told_and_can_be_refunded(
    sandbox: Sandbox, provider: Provider, extra_minor: int, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    sandbox.put_faults(**{provider: {"capture_extra_minor": extra_minor}})
    reserved = brought(gateway, charge, "authorize")
    captured = act(gateway, "capture", reserved)
    assert captured.amount_minor == 12_345 + extra_minor
    assert stood(gateway, reserved).answer_to("capture", reserved) == captured
    assert stood(gateway, reserved).refunded_minor == 0
    taken = msgspec.structs.replace(of(reserved, captured.amount_minor), capture_id=captured.reference_id)
    refunded = act(gateway, "refund", taken)
    assert stood(gateway, taken).answer_to("refund", taken) == refunded


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_that_cannot_be_asked_about_leaves_nothing_in_doubt(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    sandbox.put_faults(**{provider: {"drop_before_effect_rate": 1, "only": ["stand"]}})
    gateway = sandbox.gateways()[provider]
    taken = brought(gateway, charge, "capture")
    with pytest.raises(Unavailable):
        gateway.stand(taken)


def test_a_paypal_payment_is_found_by_its_authorization_and_by_its_capture(sandbox: Sandbox, charge: Charge) -> None:
    gateway = sandbox.gateways()[Provider.PAYPAL]
    taken = brought(gateway, charge, "authorize", "capture")
    whole = stood(gateway, taken)
    for known in (taken.authorization_id, taken.capture_id):
        assert known is not None
        ids = {"authorization_id": known} if known == taken.authorization_id else {"capture_id": known}
        assert stood(gateway, Charge(payment_id=known, amount_minor=12_345, currency="USD", **ids)) == whole


def test_a_paypal_capture_that_came_from_elsewhere_is_refunded_and_found(sandbox: Sandbox, charge: Charge) -> None:
    gateway = sandbox.gateways()[Provider.PAYPAL]
    known = msgspec.structs.replace(charge, capture_id=charge.payment_id)
    refunded = act(gateway, "refund", known)
    standing = stood(gateway, known)
    assert told(standing) == (Stage.CAPTURED, 12_345, 12_345)
    assert (standing.authorization_id, standing.capture_id) == (None, charge.payment_id)
    assert standing.answer_to("refund", known) == refunded


@pytest.mark.parametrize("provider", [Provider.STRIPE, Provider.PAYPAL, Provider.CANONICAL])
def test_a_provider_that_keeps_refusals_refuses_the_same_key_for_ever(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    sandbox.put_faults(**{provider: {"refuse_verbs": ["capture"], "keep_refusals": True}})
    with pytest.raises(Refused):
        act(gateway, "capture", charge)
    sandbox.put_faults()
    with pytest.raises(Refused):
        act(gateway, "capture", charge)
    assert act(gateway, "capture", charge, key="fresh-" + charge.payment_id).verdict is Verdict.DONE


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_fault_of_one_verb_leaves_the_others_alone(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"outage": True, "latency_ms": 60_000, "only": ["void"]}})
    gateway = sandbox.gateways()[provider]
    taken = brought(gateway, charge, "authorize", "capture", "refund")
    assert told(stood(gateway, taken)) == (Stage.CAPTURED, 12_345, 12_345)


@pytest.mark.parametrize("faults", [{"only": ["fetch"]}, {"refuse_verbs": ["stand"]}, {"capture_extra_minor": 0.5}])
def test_faults_of_verbs_that_are_none_are_refused(sandbox: Sandbox, faults: dict[str, object]) -> None:
    answer = sandbox.http.put("/sandbox/faults", json={"stripe": faults})
    assert answer.status_code == httpx.codes.BAD_REQUEST


def test_a_restarted_sandbox_knows_how_its_payments_stand(
    tmp_path_factory: pytest.TempPathFactory, charge: Charge
) -> None:
    sandbox = Sandbox(tmp_path_factory.mktemp("restarted"))
    try:
        gateways = sandbox.gateways()
        taken = {p: brought(gateway, charge, *LIFE) for p, gateway in gateways.items()}
        before = {p: gateways[p].stand(known) for p, known in taken.items()}
        sandbox.stop()
        sandbox.start()
        gateways = sandbox.gateways()
        assert {p: gateways[p].stand(known) for p, known in taken.items()} == before
    finally:
        sandbox.stop()
