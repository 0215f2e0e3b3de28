"""A plan of a replay, for people."""

from collections.abc import Iterator

from payments.flows.dead_letters.plan import Plan
from workers.cli.terminal.tables import counts, many, pairs, wide_console
from workers.cli.terminal.times import span

_MOST_REASONS = 12
_GATES = {
    "shut": "its breaker is open: none goes before it lets calls through again",
    "canary": "its breaker is half-open: one at a time goes, to see how it fares",
}


def show_plan(plan: Plan, *, answers: bool) -> None:
    """Print what is meant and what the gates would do, as the answer or as a remark."""
    wide_console(answers=answers).print(pairs("", dict(_lines(plan))))


def _lines(plan: Plan) -> Iterator[tuple[str, object]]:
    yield "to send back", many(plan.letters)
    yield "by reason", counts(plan.by_reason, _MOST_REASONS)
    yield "by age", counts({name: number for name, number in plan.by_age.items() if number})
    yield "by provider", counts(plan.by_provider)
    for provider, gate in plan.gates.items():
        yield f"breaker of {provider}", f"{_GATES[gate]} ({plan.by_provider[provider]:,} of them)"
    yield "superseded", _superseded(plan)
    yield "order", _order(plan)
    yield "time", _time(plan)


def _superseded(plan: Plan) -> str:
    if not plan.superseded:
        return ""
    of = "" if plan.looked_at_all else f" of the first {plan.looked_at:,}"
    return f"{plan.superseded:,}{of}: a later event of the payment took effect, so these are ended and not sent"


def _order(plan: Plan) -> str:
    parts = []
    if plan.follow:
        parts.append(f"{plan.follow:,} go after an earlier one of their payment")
    if plan.behind:
        parts.append(f"{plan.behind:,} stay: an earlier pending one of their payment is not meant")
    return "; ".join(parts)


def _time(plan: Plan) -> str:
    if plan.held_by_breakers == plan.letters:
        return ""
    if plan.rate_per_second is not None:
        return f"about {span(plan.seconds)} at {plan.rate_per_second:g}/s"
    return f"about {span(plan.seconds)} at the providers' velocities" if plan.seconds else "at once"
