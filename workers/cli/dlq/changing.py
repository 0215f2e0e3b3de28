"""`payferry dlq park | discard | restore`: what a person does to many dead letters at once."""

from collections.abc import Callable
from typing import Annotated

import msgspec
import typer

from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.plan import Outline
from workers.cli.dlq.filters import Meant, filtered, need_filter
from workers.cli.dlq.office import Office
from workers.cli.dlq.options import All, DryRun, Json, Why, Yes, checked_why
from workers.cli.dlq.progress import counting
from workers.cli.dlq.reach import DISCARD, PARK, RESTORE, Reach
from workers.cli.operator import operator
from workers.cli.terminal.asking import ask, done, would
from workers.cli.terminal.console import print_json
from workers.cli.terminal.refusal import remark, wrong
from workers.cli.terminal.tables import counts, many

_AT_ONCE = 1000
"""So many letters are changed in one transaction, each with its audit and its announcement."""

_MOST_REASONS = 12

Change = Callable[[Choice, Actor], int]


@filtered
def park(
    context: typer.Context,
    meant: Meant,
    *,
    everything: All = False,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Let pending dead letters wait for a person, so that they do not come back by themselves."""
    order = Order(reach=PARK, verb="park", everything=everything, why=why, yes=yes, dry_run=dry_run, json=json)
    order.carry_out(context.obj, meant, lambda office: office.changes.park)


@filtered
def discard(
    context: typer.Context,
    meant: Meant,
    *,
    everything: All = False,
    why: Annotated[str | None, typer.Option(help="Why; needed, and kept in the audit.", metavar="TEXT")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give dead letters up: their events stay dead. `restore` takes it back, until they are archived."""
    if why is None:
        wrong("say --why: a discarded dead letter keeps the reason")
    order = Order(reach=DISCARD, verb="discard", everything=everything, why=why, yes=yes, dry_run=dry_run, json=json)
    order.carry_out(context.obj, meant, lambda office: office.changes.discard)


@filtered
def restore(
    context: typer.Context,
    meant: Meant,
    *,
    everything: All = False,
    why: Why = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take a discard back: each dead letter is again what it was before, pending (and due now) or parked."""
    order = Order(reach=RESTORE, verb="restore", everything=everything, why=why, yes=yes, dry_run=dry_run, json=json)
    order.carry_out(context.obj, meant, lambda office: office.changes.restore)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and how."""

    reach: Reach
    verb: str
    everything: bool
    why: str | None
    yes: bool
    dry_run: bool
    json: bool

    def carry_out(self, office: Office, meant: Meant, change_of: Callable[[Office], Change]) -> None:
        """Show what is meant, ask, and do it."""
        actor = Actor(operator(), checked_why(self.why))
        need_filter(meant, everything=self.everything)
        choice = self.reach.within(meant, office.search)
        outline = office.plans.outline(choice)
        if not outline.letters:
            remark(f"nothing to {self.verb}: no {' or '.join(self.reach.states)} dead letter is meant")
            self._answer(0)
            return
        told = f"{self.verb} {many(outline.letters)}"
        if self.dry_run:
            _show(outline)
            would(told)
            self._answer(outline.letters)
            return
        ask(told, yes=self.yes, show=lambda: _show(outline))
        changed = _change(office, choice, actor, change_of(office), outline.letters, self.verb)
        done(f"{self.verb} {many(changed)}")
        self._answer(changed)

    def _answer(self, number: int) -> None:
        if self.json:
            print_json({self.reach.done: 0 if self.dry_run else number, "meant": number, "dry_run": self.dry_run})


def _show(outline: Outline) -> None:
    remark(f"{many(outline.letters)}: {counts(outline.by_reason, _MOST_REASONS)}; {counts(outline.by_provider)}")


def _change(office: Office, choice: Choice, actor: Actor, change: Change, total: int, verb: str) -> int:
    """Change the letters some at a time, so that no statement takes long; return how many were changed."""
    changed, after = 0, None
    with counting(verb, total) as advance:
        while True:
            page = office.search.page(choice, _AT_ONCE, after)
            ids = tuple(brief.id for brief in page.letters)
            changed += change(msgspec.structs.replace(choice, ids=ids), actor) if ids else 0
            advance(len(ids))
            if page.after is None:
                return changed
            after = page.after
