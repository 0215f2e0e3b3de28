"""`payferry dlq stats`: the same numbers for people, as JSON, and for Prometheus."""

import json
import math
from datetime import UTC, datetime

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.statistics import DeadLetterStatistics
from payments.ledger.dead_letters.switch import ReplaySwitch
from tests.integration.cli.dlq.conftest import Graveyard, Run


@pytest.fixture
def _buried(graveyard: Graveyard) -> None:
    """One of each kind, of which one is discarded, and a job that nobody has worked on."""
    graveyard.pending("p1")
    discarded = graveyard.parked("p2")
    graveyard.undecodable()
    Changes(graveyard.database).discard(Choice(ids=(discarded,)), Actor("jo@host", "not ours"))
    ReplayJobs(graveyard.database).make(Choice(), Actor("jo@host"))


@pytest.mark.usefixtures("_buried")
def test_machines_get_the_statistics_and_what_goes_on_about_them(run: Run, graveyard: Graveyard) -> None:
    told = json.loads(run("stats", "--json").out)
    found = msgspec.to_builtins(DeadLetterStatistics(graveyard.database).read())
    steady = [name for name in found if not name.startswith("oldest_open")]
    assert [told[name] for name in steady] == [found[name] for name in steady]
    assert told["replay"]["schedule"] == "60"
    assert told["replay"]["velocity"]["stripe"] == {"per_second": 200.0, "burst": 200}
    assert (told["replay"]["last_run"], told["replay"]["next_run"], told["replay"]["paused"]) == (None, None, None)
    assert [job["state"] for job in told["jobs"]] == ["running"]
    assert told["archives"] == {"count": 0, "letters": 0, "bytes": 0}


@pytest.mark.usefixtures("_buried")
def test_the_filters_narrow_what_is_counted(run: Run) -> None:
    told = json.loads(run("stats", "--json", "--provider", "stripe").out)
    assert (told["total"], told["by_reason"]) == (1, {"http_503": 1})


@pytest.mark.usefixtures("_buried")
def test_people_see_depths_and_the_schedule(run: Run) -> None:
    out = run("stats").out
    assert "1 discarded, 1 parked, 1 pending" in out
    assert "every 60 s" in out
    assert "jobs that have not ended" in out


@pytest.mark.parametrize(
    ("schedule", "next_run"), [("60", "2026-05-04T12:01:00Z"), ("*/15 * * * *", "2026-05-04T12:15:00Z")]
)
def test_the_last_and_the_next_run_are_told(
    run: Run, graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch, schedule: str, next_run: str
) -> None:
    monkeypatch.setenv("DLQ_REPLAY_SCHEDULE", schedule)
    last = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    graveyard.database.run("INSERT INTO beat_slots VALUES ('replay', %(at)s)", {"at": last})
    told = json.loads(run("stats", "--json").out)["replay"]
    assert (told["schedule"], told["last_run"], told["next_run"]) == (schedule, "2026-05-04T12:00:00Z", next_run)
    assert "overdue: is there a beat?" in run("stats").out


def test_a_pause_is_told_with_who_and_why(run: Run, graveyard: Graveyard) -> None:
    ReplaySwitch(graveyard.database).turn(Actor("jo@host", "an audit"), is_paused=True)
    paused = json.loads(run("stats", "--json").out)["replay"]["paused"]
    assert (paused["who"], paused["why"]) == ("jo@host", "an audit")
    assert "by jo@host: an audit" in run("stats").out


@pytest.mark.usefixtures("_buried")
def test_prometheus_reads_the_same_numbers(run: Run) -> None:
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(run("stats", "--prometheus").out)
        for sample in family.samples
    }
    by_state = {key[1]: number for key, number in told.items() if key[0] == "payferry_dead_letters"}
    assert by_state == {"pending": 1, "parked": 1, "discarded": 1, "replaying": 0, "resolved": 0}
    assert told["payferry_dead_letters_open_by_reason", "http_503"] == 1
    assert told["payferry_dead_letters_open_by_provider", "unknown"] == 1
    assert told["payferry_dead_letters_came_in", "1m"] == 3
    assert told["payferry_dead_letters_went_out", "1h"] == 1
    assert told["payferry_dead_letter_replays", "succeeded"] == 0
    assert math.isnan(told["payferry_dead_letters_mttr_seconds",]), "nothing was resolved, which is not within 0 s"
