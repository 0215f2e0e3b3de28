"""The player must be as truthful as a provider, or the tests that use it prove nothing."""

import pytest

from payments.failures import AnswerTimeout
from payments.gateway.result import Answer, Charge, Stage, Standing, Verdict
from tests.fake_gateway import After, FakeGateway, refusal

CHARGE = Charge(payment_id="p1", amount_minor=1000, currency="EUR")
LOST = AnswerTimeout("no answer", service="stripe", operation="capture")


def test_what_took_effect_before_the_answer_was_lost_stands() -> None:
    gateway = FakeGateway(capture=[After(LOST)])
    with pytest.raises(AnswerTimeout):
        gateway.capture(CHARGE, "k")
    assert gateway.count("capture") == 1
    standing = gateway.stand(CHARGE)
    assert standing is not None
    assert standing.answer_to("capture", CHARGE) == gateway.capture(CHARGE, "k")
    assert gateway.count("capture") == 1
    assert gateway.verbs() == ["capture", "stand", "capture"]


def test_what_was_lost_on_its_way_does_not() -> None:
    gateway = FakeGateway(capture=[LOST])
    with pytest.raises(AnswerTimeout):
        gateway.capture(CHARGE, "k")
    assert gateway.stand(CHARGE) is None
    assert gateway.count("capture") == 0


def test_a_refund_is_made_once_for_a_key_and_again_for_another() -> None:
    gateway = FakeGateway()
    gateway.capture(CHARGE, "c")
    assert gateway.refund(CHARGE, "r1") == gateway.refund(CHARGE, "r1") != gateway.refund(CHARGE, "r2")
    assert gateway.count("refund") == 2
    standing = gateway.stand(CHARGE)
    assert standing is not None
    assert standing.refunded_minor == 2000


def test_a_void_and_a_decline_stand() -> None:
    gateway = FakeGateway(authorize=[refusal("expired_card")])
    gateway.authorize(CHARGE, "a")
    assert gateway.stand(CHARGE) == Standing(stage=Stage.DECLINED, code="expired_card")
    gateway.authorize(CHARGE, "another")
    gateway.void(CHARGE, "v")
    standing = gateway.stand(CHARGE)
    assert standing is not None
    assert (standing.stage, standing.code) == (Stage.VOIDED, None)


def test_what_is_scripted_comes_first() -> None:
    other = Answer(verdict=Verdict.DONE, amount_minor=999, reference_id="odd")
    gateway = FakeGateway(capture=[After(LOST, other)], void=[refusal()], stand=[LOST, None])
    with pytest.raises(AnswerTimeout):
        gateway.capture(CHARGE, "k")
    with pytest.raises(AnswerTimeout):
        gateway.stand(CHARGE)
    assert gateway.stand(CHARGE) is None
    standing = gateway.stand(CHARGE)
    assert standing is not None
    assert standing.captured_minor == 999
    assert gateway.void(CHARGE, "v").verdict is Verdict.DECLINED
    assert gateway.count("void") == 0
