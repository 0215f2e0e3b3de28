"""What the filters of a command line come to."""

import inspect
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
import typer

from payments.ledger.dead_letters.choice import Choice
from workers.cli.dlq.filters import Meant, filtered, ids_in, in_words, meant_by, need_filter


@pytest.mark.parametrize(
    ("words", "ids", "named"),
    [
        (["7"], (7,), (7,)),
        (["3,1", "2"], (1, 2, 3), (1, 2, 3)),
        (["5-9"], (5, 6, 7, 8, 9), ()),
        (["5-6,8", "6-7"], (5, 6, 7, 8), (8,)),
        (["4-4"], (4,), (4,)),
        (["1, 2"], (1, 2), (1, 2)),
    ],
)
def test_ids_are_numbers_lists_and_ranges(words: list[str], ids: tuple[int, ...], named: tuple[int, ...]) -> None:
    assert ids_in(words) == (ids, named)


@pytest.mark.parametrize("word", ["", "x", "0", "-1", "1-", "-", "9-5", "1.5", "1 2", "٣", "9223372036854775808"])
def test_what_names_no_letter_is_refused(word: str) -> None:
    with pytest.raises(typer.Exit) as ended:
        ids_in([word])
    assert ended.value.exit_code == 2


def test_more_ids_than_a_statement_should_hold_are_refused() -> None:
    assert len(ids_in(["1-100000"])[0]) == 100_000
    for words in (["1-100001"], ["1-60000", "100001-160000"], [f"1-{2**63 - 1}"]):
        with pytest.raises(typer.Exit):
            ids_in(words)


def test_options_become_a_choice() -> None:
    meant = meant_by(
        provider="stripe",
        states=["parked,pending", "parked"],
        since="2026-01-05",
        older_than_seconds="2h",
        fingerprint="ABCDEF0123456789",
        ids=["7"],
        reason=None,
    )
    assert meant == Meant(
        choice=Choice(
            provider="stripe",
            states=("parked", "pending"),
            since=datetime(2026, 1, 5, tzinfo=UTC),
            older_than_seconds=7200.0,
            fingerprint="abcdef0123456789",
            ids=(7,),
        ),
        named=(7,),
    )


def test_no_options_are_no_choice() -> None:
    assert meant_by(provider=None, states=[], ids=None).choice.is_all


def test_a_choice_is_kept_within_the_states_of_a_verb() -> None:
    assert Meant(choice=Choice(reason="x")).with_states("pending", "parked").states == ("pending", "parked")
    assert Meant(choice=Choice(states=("parked",))).with_states("pending", "parked").states == ("parked",)


def test_all_goes_with_no_filter_and_none_with_all() -> None:
    need_filter(Meant(choice=Choice()), everything=True)
    need_filter(Meant(choice=Choice(reason="x")), everything=False)
    for choice, everything in ((Choice(), False), (Choice(reason="x"), True)):
        with pytest.raises(typer.Exit):
            need_filter(Meant(choice=choice), everything=everything)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(), "--all"),
        (Choice(provider="stripe", states=("pending", "parked")), "--provider stripe --state pending,parked"),
        (Choice(contains="a b"), "--contains 'a b'"),
        (Choice(ids=tuple(range(1, 13))), "--id 1,2,3,4,5,6,7,8,9,10,…"),
        (Choice(older_than_seconds=7200.0), "--older-than 7200s"),
        (Choice(service="stripe", but_category="permanent"), "--service stripe --but-category permanent"),
    ],
)
def test_a_choice_is_shown_as_one_would_type_it(choice: Choice, words: str) -> None:
    assert in_words(choice) == words


def test_a_verb_gets_every_filter_but_those_that_it_declares_itself() -> None:
    seen: dict[str, Any] = {}

    def verb(meant: Meant, *, reason: Annotated[str, typer.Option()] = "own") -> None:
        seen.update(meant=meant, reason=reason)

    command = filtered(verb)
    names = list(inspect.signature(command).parameters)
    assert names[0] == "reason"
    assert names.count("reason") == 1
    assert {"provider", "category", "states", "ids"} <= set(names)
    command(**dict.fromkeys(names[1:]) | {"reason": "mine", "provider": "paypal"})
    assert seen == {"meant": Meant(choice=Choice(provider="paypal")), "reason": "mine"}
