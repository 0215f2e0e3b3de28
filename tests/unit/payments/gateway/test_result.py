import pytest

from payments.gateway.result import Answer, Charge, Stage, Standing, Verb, Verdict

CHARGE = Charge(payment_id="p1", amount_minor=1000, currency="EUR")
VERBS: list[Verb] = ["authorize", "capture", "void", "refund"]


@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        (Stage.OPEN, []),
        (Stage.AUTHORIZED, ["authorize"]),
        (Stage.CAPTURED, ["authorize", "capture"]),
        (Stage.VOIDED, ["void"]),
    ],
)
def test_a_stage_shows_the_steps_that_led_to_it(stage: Stage, shown: list[Verb]) -> None:
    standing = Standing(stage=stage, captured_minor=1000)
    assert [verb for verb in VERBS if standing.answer_to(verb, CHARGE) is not None] == shown


def test_the_answers_name_what_the_steps_made() -> None:
    standing = Standing(
        stage=Stage.CAPTURED,
        amount_minor=1100,
        captured_minor=1050,
        refunded_minor=1000,
        authorization_id="a",
        capture_id="c",
        refund_id="r",
    )
    answers = [standing.answer_to(verb, CHARGE) for verb in ("authorize", "capture", "refund")]
    assert answers == [
        Answer(verdict=Verdict.DONE, amount_minor=1100, reference_id="a"),
        Answer(verdict=Verdict.DONE, amount_minor=1050, reference_id="c"),
        Answer(verdict=Verdict.DONE, amount_minor=1000, reference_id="r"),
    ]


@pytest.mark.parametrize(("refunded_minor", "is_done"), [(0, False), (999, False), (1000, True), (1001, True)])
def test_a_refund_is_done_once_as_much_was_given_back(refunded_minor: int, is_done: bool) -> None:  # noqa: FBT001  # a case
    standing = Standing(stage=Stage.CAPTURED, captured_minor=2000, refunded_minor=refunded_minor)
    assert (standing.answer_to("refund", CHARGE) is not None) == is_done


@pytest.mark.parametrize("verb", ["authorize", "capture"])
def test_a_declined_payment_answers_with_its_decline(verb: Verb) -> None:
    answer = Answer(verdict=Verdict.DECLINED, amount_minor=0, code="expired_card")
    assert Standing(stage=Stage.DECLINED, code="expired_card").answer_to(verb, CHARGE) == answer


@pytest.mark.parametrize("verb", ["void", "refund"])
def test_a_declined_payment_shows_nothing_taken_back(verb: Verb) -> None:
    assert Standing(stage=Stage.DECLINED).answer_to(verb, CHARGE) is None


def test_an_authorization_whose_amount_nobody_tells_was_the_one_asked_for() -> None:
    answer = Standing(stage=Stage.AUTHORIZED).answer_to("authorize", CHARGE)
    assert answer is not None
    assert answer.amount_minor == 1000
