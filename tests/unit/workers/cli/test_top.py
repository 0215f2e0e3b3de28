"""`payferry top`: what is shown of surveys, and what moved between them."""

import io
import threading
from datetime import timedelta

import msgspec
from rich.console import Console

from payments.ledger.census import OutboxDepth
from payments.ledger.dead_letters.statistics import Rates
from tests.surveys import NOW, a_breaker, a_fleet, a_ledger, a_process, a_survey, dead_letters
from workers.cli.top import frames
from workers.cli.top_frame import Frame, frame_of, moving
from workers.cli.top_view import view_of
from workers.monitor.finding import Finding, Status, Verdict
from workers.monitor.survey import FleetSeen, KafkaSeen, QueuesSeen, ResilienceSeen, Survey

WELL = Verdict(status=Status.HEALTHY)


def seen(seconds: float = 0.0, *, settled: int = 0, dead: int = 0, received: int = 0, done: int = 0) -> Survey:
    """Return a survey so many seconds after the first, of a fleet whose worker has done so many tasks."""
    worker = a_process("worker", "worker.1@box", up_seconds=100.0 + seconds, numbers={"done": done, "active": 1})
    return a_survey(
        taken_at=NOW + timedelta(seconds=seconds),
        ended={"stripe": {"settled": settled, "dead": dead}},
        ledger=a_ledger(inbox={"stripe": {"received": received}, "paypal": {"received": 1}}),
        fleet=a_fleet(worker),
    )


def drawn(frame: Frame, width: int = 170) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view_of(frame))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_first_frame_has_no_rates() -> None:
    frame = frame_of(seen(settled=100, done=9), WELL)
    assert (frame.throughput.ended_per_second, frame.throughput.taken_per_second) == (None, None)
    assert [each.done_per_second for each in frame.processes or ()] == [None] * 4


def test_rates_are_what_grew_since_the_earliest_survey_that_is_kept() -> None:
    surveys = [seen(0, settled=100, received=5, done=10), seen(2, settled=150, received=5, done=99)]
    frame = frame_of(seen(4, settled=180, received=25, done=110), WELL, surveys)
    assert frame.throughput.ended_per_second == 20.0
    assert frame.throughput.taken_per_second == 25.0
    assert [each.done_per_second for each in frame.processes or () if each.role == "worker"] == [25.0]


def test_a_dead_event_has_not_ended_and_its_replay_is_no_new_event() -> None:
    frame = frame_of(seen(2, settled=0, dead=1, received=9), WELL, [seen(0, settled=0, dead=10, received=0)])
    assert (frame.throughput.ended_per_second, frame.throughput.taken_per_second) == (0.0, 0.0)


def test_a_survey_without_the_ledger_is_passed_over_for_rates() -> None:
    blind = msgspec.structs.replace(seen(0), ended=None)
    frame = frame_of(seen(4, settled=50), WELL, [blind, seen(2, settled=10)])
    assert frame.throughput.ended_per_second == 20.0
    assert frame_of(blind, WELL, [seen(-2)]).throughput.ended_per_second is None


def test_a_worker_that_was_started_anew_has_no_rate_yet() -> None:
    earlier = a_process("worker", "worker.1@box", started_at=1.0, numbers={"done": 900})
    before = a_survey(taken_at=NOW - timedelta(seconds=2), fleet=a_fleet(earlier))
    frame = frame_of(seen(0, done=1), WELL, [before])
    assert [each.done_per_second for each in frame.processes or () if each.role == "worker"] == [None]


def test_surveys_older_than_ten_seconds_are_dropped_but_the_latest_stays() -> None:
    surveys = [seen(0), seen(5), seen(9)]
    assert moving(surveys, NOW + timedelta(seconds=12)) == surveys[1:]
    assert moving(surveys, NOW + timedelta(seconds=60)) == surveys[2:]
    assert moving([], NOW) == []


def test_everything_is_drawn() -> None:
    breakers = (
        a_breaker("stripe", "open", until_seconds=12.4, failures=7, calls=9),
        a_breaker("paypal", "half_open"),
        a_breaker("kafka", "open", isolated=True),
    )
    survey = a_survey(
        ledger=a_ledger(
            inbox={"stripe": {"waiting": 1200}, "paypal": {"waiting": 34}},
            oldest_due_seconds=75.0,
            outbox=OutboxDepth(waiting=3, refused=1, oldest_seconds=2.5),
        ),
        kafka=KafkaSeen(topic="payments.raw", lag={0: 1000, 1: 234}),
        queues=QueuesSeen(waiting={"payments.stripe": 17}, unacknowledged=4),
        resilience=ResilienceSeen(breakers=breakers, budgets_used={}, limits_per_second={}, limits_used={}),
        dead_letters=dead_letters(
            by_state={"parked": 8},
            critical=2,
            last_minute=Rates(seconds=60, came_in=5, went_out=3, in_per_second=0.1, out_per_second=0.1),
        ),
        fleet=a_fleet(
            a_process("worker", "worker.1@box", 30.0),
            a_process("bridge", "bridge.1@box", troubles={"database away": 7.0}, numbers={"partitions": 12.0}),
            a_process("relay", "relay.1@box", stuck="its loop has not turned for 20 s"),
        ),
    )
    text = " ".join(drawn(frame_of(survey, WELL)).split())
    for told in (
        "healthy 2026-01-05 12:00:00Z",
        "taken ?",
        "lag 1,234 records",
        "inbox 1,234 waiting",
        "oldest due for 75 s",
        "outbox 3 waiting, the oldest for 2.5 s, 1 refused",
        "17 4",
        "open 12 s 7/9 half-open 0/0 isolated 0/0",
        "by state 8 parked",
        "critical 2",
        "last minute 5 in, 3 out",
        "bridge bridge.1@box alive 1 s ago partitions 12 database away for 7.0 s",
        "worker worker.1@box silent 30 s ago",
        "relay relay.1@box stuck 1 s ago its loop has not turned for 20 s",
    ):
        assert told in text


def test_what_is_wrong_is_named_and_the_worst_comes_first() -> None:
    findings = [
        Finding(
            what=f"what_{place}", subject="s", severity=severity, cause=f"cause {place}", since=NOW, look_at="there"
        )
        for place, severity in enumerate([Status.DEGRADED] * 9 + [Status.UNHEALTHY])
    ]
    text = drawn(frame_of(a_survey(), Verdict.of(findings)))
    assert text.startswith("Payferry  unhealthy")
    assert text.index("cause 9") < text.index("cause 0")
    assert "and 2 more" in text


def test_a_part_that_cannot_be_read_is_shown_as_such_and_the_others_all_the_same() -> None:
    parts = ("ledger", "ended", "dead_letters", "queues", "resilience", "kafka", "fleet")
    nothing = a_survey(**dict.fromkeys(parts), unread={part: f"{part} is away" for part in parts})
    text = drawn(frame_of(nothing, WELL))
    for part in ("ledger", "dead_letters", "queues", "resilience", "kafka", "fleet"):
        assert f"not known: {part} is away" in text
    partly = drawn(frame_of(a_survey(queues=None, unread={"queues": "Redis: ConnectionError"}), WELL))
    assert "queues  not known: Redis: ConnectionError" in partly
    assert "worker@box" in partly


def test_a_fleet_without_a_process_is_told_from_one_that_is_not_known() -> None:
    assert "none has given a sign of life" in drawn(frame_of(a_survey(fleet=FleetSeen(processes=())), WELL))


def test_names_that_would_steer_a_terminal_or_its_markup_do_not() -> None:
    fleet = a_fleet(a_process("worker", "[red]\x1b[2Jx"))
    text = drawn(frame_of(a_survey(fleet=fleet), WELL))
    assert "\x1b" not in text
    assert "[red]" in text


def test_frames_come_until_somebody_says_stop() -> None:
    stopping, looks = threading.Event(), iter([seen(0, settled=1), seen(2, settled=9), seen(4)])
    told = frames(lambda: next(looks), lambda _: WELL, 0.0, stopping)
    assert next(told).throughput.ended_per_second is None
    assert next(told).throughput.ended_per_second == 4.0
    stopping.set()
    assert list(told) == []
