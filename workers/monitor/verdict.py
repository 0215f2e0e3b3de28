"""How the system is, from what was seen of it. Pure: a survey in, a verdict out."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from config.schedule import least_gap_seconds, next_after
from payments.resilience.breaker_state import BreakerView, State
from workers.monitor.finding import Finding, Status, Verdict
from workers.monitor.survey import DEPENDENCIES, FleetSeen, Survey
from workers.poison_watch import POISON
from workers.pulse.sign import Life, Seen


class VerdictPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is still well. `schedules` are those of beat's ticks, by the slot that each takes."""

    required_roles: tuple[str, ...]
    schedules: Mapping[str, str] = {}
    absent_seconds: float = 10.0
    """For so long a role without a process only degrades, as while one is started anew."""
    due_seconds: float = 60.0
    """For so long work may be due, or an outgoing message wait."""
    slot_seconds: float = 60.0
    """So much later than its schedule, and another turn of it, a tick of beat may be taken."""


Rule = Callable[[Survey, VerdictPolicy], Iterator[Finding]]

_unhealthy, _degraded = (partial(Finding, severity=severity) for severity in (Status.UNHEALTHY, Status.DEGRADED))


def judge(survey: Survey, policy: VerdictPolicy) -> Verdict:
    """Return how the system is. What could not be read is a finding itself, and nothing is concluded from it."""
    return Verdict.of([finding for rule in RULES for finding in rule(survey, policy)])


def _servers(survey: Survey, _policy: VerdictPolicy) -> Iterator[Finding]:
    for name, is_up in survey.dependencies.items():
        if not is_up:
            found = _unhealthy if name == "postgresql" else _degraded
            why = survey.unread.get(DEPENDENCIES[name], "")
            yield found(
                what="server_away",
                subject=name,
                cause=f"{_SERVERS[name]} the monitor: {why}",
                since=survey.taken_at,
                look_at=f"the server, its address and login: payferry check; {_VARIABLES[name]}",
            )


def _roles(survey: Survey, policy: VerdictPolicy) -> Iterator[Finding]:
    """Yield what is wrong with processes. One that is not required, or has others beside it, costs less."""
    if survey.fleet is None:
        return
    required = policy.required_roles
    for role in sorted({*required, *(each.sign.role for each in survey.fleet.processes)}):
        if role in required and not survey.fleet.of(role):
            yield _absent(survey, survey.fleet, role, policy)
        elif role in required and not survey.fleet.alive(role):
            yield _role_down(survey, role, survey.fleet.of(role))
        else:
            yield from (_down(survey, each) for each in survey.fleet.of(role) if each.life is not Life.ALIVE)


def _absent(survey: Survey, fleet: FleetSeen, role: str, policy: VerdictPolicy) -> Finding:
    seconds = fleet.absent.get(role, 0.0)
    found = _unhealthy if seconds > policy.absent_seconds else _degraded
    return found(
        what="role_absent",
        subject=role,
        cause=f"no {role} runs",
        since=_ago(survey, seconds),
        look_at=f"start a {role}, or take it out of REQUIRED_ROLES",
    )


def _role_down(survey: Survey, role: str, processes: tuple[Seen, ...]) -> Finding:
    told = "; ".join(f"{each.sign.name}: {_why(each)}" for each in processes)
    return _unhealthy(
        what="role_down",
        subject=role,
        cause=f"no {role} makes progress: {told}",
        since=max(_since(survey, each) for each in processes),
        look_at=f"the log of {processes[0].sign.name}; is process {processes[0].sign.pid} frozen? start it anew",
    )


def _down(survey: Survey, process: Seen) -> Finding:
    return _degraded(
        what=f"process_{process.life}",
        subject=process.sign.name,
        cause=f"{process.sign.role} {process.sign.name}: {_why(process)}",
        since=_since(survey, process),
        look_at=f"its log; is process {process.sign.pid} frozen? start it anew",
    )


def _untaken(survey: Survey, policy: VerdictPolicy) -> Iterator[Finding]:
    """Yield that no bridge takes what comes, where none of them says why."""
    seconds = survey.kafka.untaken_seconds if survey.kafka else 0.0
    bridges = survey.fleet.alive("bridge") if survey.fleet else ()
    is_paused = survey.ledger is not None and survey.ledger.poison_pause is not None
    if seconds <= policy.due_seconds or is_paused or any(each.sign.troubles for each in bridges):
        return
    assert survey.kafka is not None
    yield _degraded(
        what="records_untaken",
        subject=survey.kafka.topic,
        cause=f"records have come to {survey.kafka.topic} for {seconds:.0f} s, and no bridge has committed any",
        since=_ago(survey, seconds),
        look_at="the log of the bridges; do they read this topic, in this group? KAFKA_TOPIC, KAFKA_GROUP_ID",
    )


def _troubles(survey: Survey, _policy: VerdictPolicy) -> Iterator[Finding]:
    for each in survey.fleet.processes if survey.fleet else ():
        for trouble, seconds in each.sign.troubles.items():
            if each.life is not Life.ALIVE or (trouble == POISON and survey.ledger is not None):
                continue  # is told with the process, or with the pause of the whole group
            yield _degraded(
                what="process_trouble",
                subject=f"{each.sign.name} {trouble}",
                cause=f"{each.sign.role} {each.sign.name}: {trouble} for {seconds:.0f} s",
                since=_ago(survey, each.seen_seconds + seconds),
                look_at=f"the log of {each.sign.name}",
            )


def _due(survey: Survey, policy: VerdictPolicy) -> Iterator[Finding]:
    """Yield that work is late; worse where every worker lets it lie."""
    seconds = survey.ledger.oldest_due_seconds if survey.ledger else 0.0
    if seconds <= policy.due_seconds:
        return
    workers = survey.fleet.alive("worker") if survey.fleet else ()
    still_seconds = min((each.sign.numbers.get("payments_still_seconds", 0.0) for each in workers), default=0.0)
    neglected = still_seconds > policy.due_seconds
    found = _unhealthy if neglected else _degraded
    idle = f", and no worker has begun or ended a payment for {still_seconds:.0f} s" if neglected else ""
    yield found(
        what="work_neglected" if neglected else "work_late",
        subject="inbox",
        cause=f"an event has been due for {seconds:.0f} s{idle}",
        since=_ago(survey, seconds),
        look_at="payferry status; are there workers for every queue? are they enough?",
    )


def _breakers(survey: Survey, _policy: VerdictPolicy) -> Iterator[Finding]:
    for each in survey.resilience.breakers if survey.resilience else ():
        if each.state != State.CLOSED:
            yield _degraded(
                what="breaker_open",
                subject=each.name,
                cause=f"the breaker of {each.name} is {_state(each)}",
                since=datetime.fromtimestamp(each.generation / 1_000_000, UTC),
                look_at=f"is {each.name} well? payferry breakers list",
            )


def _poison(survey: Survey, _policy: VerdictPolicy) -> Iterator[Finding]:
    pause = survey.ledger.poison_pause if survey.ledger else None
    if pause is not None:
        yield _degraded(
            what="bridge_poisoned",
            subject=pause.topic,
            cause=f"the bridges are paused: {pause.bad} of the last {pause.looked_at} records were no payment events",
            since=pause.paused_at,
            look_at="who produces them? payferry dlq list; then payferry bridge resume",
        )


def _outbox(survey: Survey, policy: VerdictPolicy) -> Iterator[Finding]:
    outbox = survey.ledger.outbox if survey.ledger else None
    if outbox is not None and outbox.oldest_seconds > policy.due_seconds:
        yield _degraded(
            what="outbox_late",
            subject="outbox",
            cause=f"{outbox.waiting:,} outgoing messages wait, the oldest for {outbox.oldest_seconds:.0f} s",
            since=_ago(survey, outbox.oldest_seconds),
            look_at="do the brokers take anything? the log of the relays",
        )


def _slots(survey: Survey, policy: VerdictPolicy) -> Iterator[Finding]:
    """Yield the ticks that are late. None is expected before a beat has been up for as long as its schedule."""
    beats = survey.fleet.alive("beat") if survey.fleet else ()
    up_seconds = max((each.sign.up_seconds for each in beats), default=0.0)
    for slot, age_seconds in survey.ledger.slot_ages.items() if survey.ledger and beats else ():
        schedule = policy.schedules.get(slot)
        if schedule is None:
            continue
        due = next_after(schedule, _ago(survey, min(age_seconds, up_seconds)))
        late_seconds = (survey.taken_at - due).total_seconds() - least_gap_seconds(schedule) - policy.slot_seconds
        if late_seconds > 0:
            yield _degraded(
                what="slot_late",
                subject=slot,
                cause=f"the tick {slot} of beat was last taken {age_seconds:.0f} s ago",
                since=due,
                look_at="does beat reach Redis? does a worker serve the queues maintenance and dead-letters?",
            )


def _dead_letters(survey: Survey, _policy: VerdictPolicy) -> Iterator[Finding]:
    told = survey.dead_letters.statistics if survey.dead_letters else None
    if told is not None and told.critical:
        failed = told.by_failure_type.get("compensation_failed", 0)
        undone = f", {failed:,} because what was done at a provider could not be taken back" if failed else ""
        yield _degraded(
            what="dead_letters_critical",
            subject="dead letters",
            cause=f"a person must look at {told.critical:,} dead letters{undone}",
            since=survey.taken_at,
            look_at="payferry dlq stats; payferry dlq list --state parked",
        )


RULES: tuple[Rule, ...] = (
    _servers,
    _roles,
    _untaken,
    _troubles,
    _due,
    _breakers,
    _poison,
    _outbox,
    _slots,
    _dead_letters,
)

_SERVERS = {
    "postgresql": "PostgreSQL does not answer",
    "redis": "the Redis of Celery's queues does not answer",
    "shared_state": "nothing is known of the processes and breakers, for their Redis does not answer",
    "kafka": "Kafka does not answer",
}

_VARIABLES = {
    "postgresql": "DATABASE_URL",
    "redis": "CELERY_BROKER_URL",
    "shared_state": "PAYFERRY_STATE_REDIS_URL",
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
}


def _why(process: Seen) -> str:
    told = ", ".join(process.sign.troubles)
    return f"{process.why} ({told})" if told else process.why


def _since(survey: Survey, process: Seen) -> datetime:
    still_seconds = 0.0 if process.life is Life.SILENT else process.sign.turned_seconds
    return _ago(survey, process.seen_seconds + still_seconds)


def _state(breaker: BreakerView) -> str:
    if breaker.isolated:
        return "held open by an operator"
    until = f", for {breaker.until_seconds:.0f} s more" if breaker.until_seconds else ""
    return f"{breaker.state.replace('_', '-')}{until}"


def _ago(survey: Survey, seconds: float) -> datetime:
    return survey.taken_at - timedelta(seconds=seconds)
