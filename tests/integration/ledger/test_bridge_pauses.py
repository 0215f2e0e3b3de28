from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.ledger.bridge_pauses import PROBE, BridgePauses, Pause
from payments.ledger.database import Database

LONG_SECONDS = 3600.0


@pytest.fixture
def pauses(database: Database) -> BridgePauses:
    return BridgePauses(database, "payments.raw", "bridges")


def paused(pauses: BridgePauses) -> Pause:
    """Open a pause and return it."""
    knows = pauses.latest()
    ended_at = knows.resumed_at if knows else None
    assert pauses.pause("poison", bad=400, looked_at=500, by="bridge.1@host", knows=ended_at)
    pause = pauses.current()
    assert pause is not None
    return pause


def test_without_a_pause_there_is_none(pauses: BridgePauses) -> None:
    assert pauses.latest() is None
    assert pauses.current() is None


def test_a_pause_says_who_paused_when_and_for_how_many_records(pauses: BridgePauses) -> None:
    pause = paused(pauses)
    assert pause.is_open
    assert (pause.topic, pause.group_id, pause.reason) == ("payments.raw", "bridges", "poison")
    assert (pause.bad, pause.looked_at, pause.share, pause.paused_by) == (400, 500, 0.8, "bridge.1@host")
    assert pause.paused_at.utcoffset() is not None


def test_it_is_the_pause_of_one_group_and_one_topic(pauses: BridgePauses, database: Database) -> None:
    paused(pauses)
    assert BridgePauses(database, "payments.raw", "others").current() is None
    assert BridgePauses(database, "other.raw", "bridges").current() is None


def test_a_pause_that_is_open_stays_as_it_is(pauses: BridgePauses) -> None:
    first = paused(pauses)
    assert not pauses.pause("poison", bad=1, looked_at=2, by="bridge.2@host")
    assert pauses.current() == first


def test_many_who_pause_at_once_open_one_pause(pauses: BridgePauses) -> None:
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda n: pauses.pause("poison", bad=n, looked_at=500, by=f"bridge.{n}"), range(10)))
    assert sum(told) == 1


def test_who_resumes_is_written_down_with_the_reason(pauses: BridgePauses, database: Database) -> None:
    assert pauses.resume(paused(pauses), "jo@host", "the producer is mended")
    assert pauses.current() is None
    latest = pauses.latest()
    assert latest is not None
    assert (latest.resumed_by, latest.is_overruled) == ("jo@host", True)
    assert database.row("SELECT resumed_why FROM bridge_pauses") == ("the producer is mended",)


def test_a_pause_is_ended_once(pauses: BridgePauses) -> None:
    pause = paused(pauses)
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda n: pauses.resume(pause, f"{n}@host"), range(10)))
    assert sum(told) == 1


def test_who_means_an_older_pause_does_not_end_a_newer_one(pauses: BridgePauses) -> None:
    first = paused(pauses)
    assert pauses.resume(first, "jo@host")
    second = paused(pauses)
    assert not pauses.resume(first, PROBE)
    assert not pauses.claim_probe(first, 0.0)
    assert pauses.current() == second


def test_what_a_person_said_is_undone_only_by_who_knows_of_it(pauses: BridgePauses) -> None:
    pauses.resume(paused(pauses), "jo@host")
    assert not pauses.pause("poison", bad=1, looked_at=1, by="one that has not heard")
    assert pauses.current() is None
    assert paused(pauses).is_open


def test_a_pause_that_opens_anew_forgets_how_the_last_one_ended(pauses: BridgePauses, database: Database) -> None:
    pauses.resume(paused(pauses), "jo@host", "why")
    latest = pauses.latest()
    assert latest is not None
    assert pauses.mark_well(latest)
    paused(pauses)
    assert database.row("SELECT resumed_by, resumed_why, resumed_at, well_at FROM bridge_pauses") == (None,) * 4


def test_a_persons_word_is_used_up_once_the_records_were_well(pauses: BridgePauses) -> None:
    pauses.resume(paused(pauses), "jo@host")
    latest = pauses.latest()
    assert latest is not None
    assert [pauses.mark_well(latest), pauses.mark_well(latest)] == [True, False]
    after = pauses.latest()
    assert after is not None
    assert not after.is_overruled


def test_a_probe_overrules_nothing(pauses: BridgePauses) -> None:
    pauses.resume(paused(pauses), PROBE)
    latest = pauses.latest()
    assert latest is not None
    assert not latest.is_overruled


def test_the_first_probe_waits_as_long_as_the_others(pauses: BridgePauses) -> None:
    assert not pauses.claim_probe(paused(pauses), LONG_SECONDS)


def test_of_many_bridges_one_may_probe(pauses: BridgePauses, database: Database) -> None:
    pause = paused(pauses)
    database.run("UPDATE bridge_pauses SET probed_at = now() - '2 hours'::INTERVAL")
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda _: pauses.claim_probe(pause, LONG_SECONDS), range(10)))
    assert sum(told) == 1


def test_nobody_probes_for_a_pause_that_has_ended(pauses: BridgePauses) -> None:
    pause = paused(pauses)
    pauses.resume(pause, "jo@host")
    assert not pauses.claim_probe(pause, 0.0)
