"""A report as a value: every number that is told, whichever way it is shown.

Times are in UTC, spans in seconds, rates shares between 0 and 1. None stands for what there was nothing to count for.
"""

from datetime import datetime

import msgspec

from payments.ledger.reports.letters import Group
from payments.ledger.reports.recovery import Time
from payments.ledger.reports.standing import Standing, Wait

ENDINGS = ("settled", "declined", "superseded", "ignored", "dead", "rejected")
"""How an event, or a record that never became one, can end: the first four are as they should be."""

WELL = ENDINGS[:4]


class ProviderTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What has ended of one provider."""

    provider: str
    ended: int
    by_ending: dict[str, int]
    success_rate: float | None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What ended within the window. `success_rate` is the share that did not end as dead or rejected."""

    ended: int
    by_ending: dict[str, int]
    success_rate: float | None
    by_provider: tuple[ProviderTotals, ...]


class CategoryErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one branch of the tree of failures, and their share of all."""

    category: str
    errors: int
    events: int
    share: float
    per_hour: float


class TypeErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one type at one service, and their share of all."""

    failure_type: str
    category: str
    service: str
    errors: int
    events: int
    share: float


class TopError(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one type, code and place, and their share of all. `message` is that of the latest, in our words."""

    failure_type: str
    category: str
    code: str
    service: str
    operation: str
    errors: int
    events: int
    share: float
    first_seen_at: datetime
    last_seen_at: datetime
    message: str


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that failed within the window.

    `error_rate` is the share of the events and records at work that had an error: those of the window, ended or not.
    """

    errors: int
    events: int
    per_hour: float
    error_rate: float | None
    by_category: tuple[CategoryErrors, ...]
    by_type: tuple[TypeErrors, ...]
    top: tuple[TopError, ...]
    others: int
    """Errors that are none of `top`."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the trend. `seconds` of it are within the window."""

    begins_at: datetime
    seconds: float
    by_ending: dict[str, int]
    errors: int


class Direction(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the later half of the window brought more than the earlier: `rising`, `falling` or `steady`."""

    direction: str
    earlier: int
    later: int


class Peak(msgspec.Struct, frozen=True, kw_only=True):
    """The step with the most errors, the first of them where there are several."""

    begins_at: datetime
    errors: int


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The window in steps."""

    step_seconds: float
    errors: Direction
    ended: Direction
    peak: Peak | None
    steps: tuple[Step, ...]


class RetryOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What events that had a failed attempt within the window are now.

    `success_rate` is the share of them that took effect: settled, or declined by the payer's bank.
    """

    failure_type: str | None
    events: int
    took_effect: int
    superseded: int
    dead: int
    unfinished: int
    success_rate: float | None


class ReplayOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Replays of dead letters. `success_rate` is the share, of those that ended within the window, that went well."""

    sent: int
    succeeded: int
    failed: int
    success_rate: float | None


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """How far what failed went well all the same, and how long that took from the first failure to the effect."""

    retries: RetryOutcome
    by_failure_type: tuple[RetryOutcome, ...]
    replays: ReplayOutcome
    time_to_effect: Time


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of one currency that had an error, and what they are over; `open` are those that have not ended well.

    `amount_minor` counts units of `decimals` decimals of the currency, and `amount` is the same, written out.
    """

    currency: str
    decimals: int
    payments: int
    amount_minor: int
    amount: str
    open_payments: int
    open_amount_minor: int
    open_amount: str


class ImpactReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whom errors have touched. `customers` counts different references, and nobody is named."""

    payments: int
    open_payments: int
    customers: int
    money: tuple[Money, ...]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """For how long a breaker was open or half-open, within the window."""

    state: str
    since: datetime
    until: datetime


class BreakerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker within the window, and its state at the end. One that nobody calls stays open beyond its time."""

    breaker: str
    openings: int
    open_seconds: float
    half_open_seconds: float
    state: str
    spans: tuple[Span, ...]


class BreakerHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Breakers that were not closed all the time. Where Redis has forgotten the begin of the window, not `complete`."""

    complete: bool
    breakers: tuple[BreakerReport, ...]


class LettersReport(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters that are open now, and those that came in and went out within the window.

    Letters in the archive are not counted. `parked_seconds` is how long ago the parked one failed last that has
    waited the longest; 0 where none is parked.
    """

    open: int
    critical: int
    by_state: dict[str, int]
    by_reason: dict[str, int]
    oldest_seconds: float
    parked_seconds: float
    came_in: int
    came_in_by_reason: dict[str, int]
    went_out: int
    went_out_by_resolution: dict[str, int]
    groups: tuple[Group, ...]


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, why, and where more is written. `urgency` is `now` or `soon`; `rule` names the rule that says so."""

    rule: str
    urgency: str
    found: str
    advice: str
    link: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `breakers` is None where Redis could not be asked, and `breakers_unknown` says why."""

    version: int
    made_at: datetime
    since: datetime
    until: datetime
    seconds: float
    totals: Totals
    errors: ErrorReport
    trend: Trend
    recovery: Recovery
    impact: ImpactReport
    breakers: BreakerHistory | None
    breakers_unknown: str | None
    dead_letters: LettersReport
    waits: tuple[Wait, ...]
    standing: Standing
    recommendations: tuple[Recommendation, ...] = ()
