"""Metrics over forks and deaths: files in a folder, counted by processes that are killed."""

import errno
import multiprocessing
import os
import resource
import signal
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from config.settings import Settings, SettingsError
from payments.metrics.instruments import Instruments
from payments.metrics.meters import meters_here
from payments.metrics.place import Place
from tests.integration.metrics.places import owned, samples, value
from workers.metrics.exposition import MachineCollector
from workers.metrics.place import claim_place

FORK = multiprocessing.get_context("fork")


def silent(_name: str, **_fields: object) -> None:
    """Tell nobody."""


def work(slot: str, times: int, then_wait: "threading.Event | None" = None) -> None:
    meters = meters_here(slot, silent)
    assert meters is not None
    for _ in range(times):
        meters.heard("bridge_batch_taken", {"records": 3, "new": 2, "known": 1, "dead": 0})
    meters.heard("bridge_paused", {"reason": "poison"})
    if then_wait is not None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.usefixtures("place")
def test_what_children_have_counted_is_added_up_also_of_one_that_was_killed_and_replaced() -> None:
    children = [FORK.Process(target=work, args=(str(slot), 1000)) for slot in range(4)]
    killed = FORK.Process(target=work, args=("4", 500, threading.Event()))
    for child in (*children, killed):
        child.start()
    for child in (*children, killed):
        child.join(30)
    assert killed.exitcode == -signal.SIGKILL
    heir = FORK.Process(target=work, args=("4", 250))
    heir.start()
    heir.join(30)
    assert value("payferry_bridge_records_total", outcome="new") == 2 * 4750
    assert value("payferry_bridge_batch_records_count") == 4750
    assert value("payferry_bridge_paused", reason="poison") == 0, "what the dead held is held no longer"


def test_an_heir_takes_counters_over_and_holds_nothing_that_was_held_before(place: Place) -> None:
    first = Instruments(place, "1")
    first.count("payferry_swept", "woken", by=3)
    first.hold("payferry_bridge_paused", 1, "poison")
    second = Instruments(place, "1")
    second.count("payferry_swept", "woken", by=4)
    assert value("payferry_swept_total", found="woken") == 7
    assert value("payferry_bridge_paused", reason="poison") == 0


def test_half_a_file_that_a_lost_machine_has_left_is_begun_anew(place: Place) -> None:
    Instruments(place, "1").count("payferry_swept", "woken", by=3)
    (file,) = place.folder.glob("counter_1.db")
    whole = file.read_bytes()
    for half in (b"", whole[:3], whole[:200], b"\xff" * 64):
        file.write_bytes(half)
        Instruments(place, "1").count("payferry_swept", "woken", by=4)
        assert value("payferry_swept_total", found="woken") == 4


def test_a_label_holds_neither_a_number_nor_an_address_nor_a_key_and_never_too_many_values(place: Place) -> None:
    instruments = Instruments(place, "main")
    for told in ("4242424242424242", "jane@example.com", "sk_live_51HabcDEF", "x" * 200, "a\nb", "order-1234567890"):
        instruments.count("payferry_errors", told, "permanent", "stripe")
    for number in range(1000):
        instruments.count("payferry_buried", "stripe", f"code_{number}")
    assert value("payferry_errors_total", failure_type="other") == 6
    assert value("payferry_errors_total") == 6
    assert value("payferry_buried_total") == 1000
    assert value("payferry_buried_total", provider="other", reason="other") == 750


def test_neither_heirs_nor_values_that_may_not_be_told_make_room_for_more_series(place: Place) -> None:
    for heir in range(3):
        instruments = Instruments(place, "1")
        for number in range(400):
            instruments.count("payferry_buried", "stripe", f"4242424242{number}")
            instruments.count("payferry_buried", "stripe", f"code_{heir}_{number}")
    assert value("payferry_buried_total") == 2400
    assert value("payferry_buried_total", provider="stripe", reason="other") == 1200
    series = [sample for sample in samples() if sample.name == "payferry_buried_total"]
    assert len(series) == 251, "250, and the one of all others"
    assert len(instruments._series) <= 250, "what has no end is not remembered"  # noqa: SLF001 - memory is bounded


def test_no_file_has_a_hole_that_a_full_disk_could_not_fill(place: Place) -> None:
    instruments = Instruments(place, "1")
    for number in range(250):
        instruments.observe("payferry_work_seconds", 0.1, "stripe", f"ending_{number}")
    files = [file.stat() for file in place.folder.glob("*.db")]
    assert max(each.st_size for each in files) > 1 << 16, "one has grown"
    assert [each for each in files if each.st_blocks * 512 < each.st_size] == []


def test_a_disk_that_becomes_full_ends_counting_of_what_is_new_and_nothing_else(place: Place) -> None:
    child = FORK.Process(target=_count_while_no_file_may_grow)
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert value("payferry_swept_total", found="woken") == 1
    assert {file.stat().st_size for file in place.folder.glob("*.db")} == {1 << 16}


def _count_while_no_file_may_grow() -> None:
    meters = meters_here("1", silent)
    assert meters is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))  # which answers by an OSError, as a full disk does
    for number in range(300):
        told = {"provider": "stripe", "ending": f"e{number}", "reason": f"r{number}", "work_seconds": 0.1}
        meters.heard("payment_buried", told)
    meters.heard("work_swept_up", {"freed": 0, "woken": 1})


def test_a_file_that_is_just_being_made_hides_no_other(place: Place) -> None:
    Instruments(place, "1").count("payferry_swept", "woken", by=3)
    (place.folder / "counter_2.db").touch()
    assert value("payferry_swept_total", found="woken") == 3


def test_a_machine_shows_every_process_under_its_name_and_of_a_dead_one_only_what_it_counted(tmp_path: Path) -> None:
    for name, pid in (("bridge-bridge", os.getpid()), ("bridge-gone", _dead())):
        instruments = Instruments(Place(owned(tmp_path / name, pid), "bridge"), "main")
        instruments.count("payferry_bridge_records", "new", by=5)
        instruments.hold("payferry_bridge_partitions", 6)
    registry = CollectorRegistry()
    registry.register(MachineCollector(tmp_path))
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    told = {(sample.name, sample.labels["process"]): sample.value for each in families for sample in each.samples}
    assert told["payferry_bridge_records_total", "bridge-bridge"] == 5
    assert told["payferry_bridge_records_total", "bridge-gone"] == 5
    assert told["payferry_bridge_partitions", "bridge-bridge"] == 6
    assert ("payferry_bridge_partitions", "bridge-gone") not in told
    assert len({family.name for family in families}) == len(families), "each metric once"


def _dead() -> int:
    """Return the number of a process that has ended."""
    child = FORK.Process(target=int)
    child.start()
    child.join()
    assert child.pid is not None
    return child.pid


@pytest.mark.usefixtures("place")
def test_what_cannot_be_looked_at_disturbs_nobody_and_all_else_is_counted() -> None:
    meters = meters_here("main", silent)
    assert meters is not None
    meters.watch("payferry_database_waiting", _failing)
    for _ in range(3):
        meters.heard("bridge_resumed", {})
    assert value("payferry_log_events_total", event="bridge_resumed", level="info") == 3


def _failing() -> dict[tuple[str, ...], float]:
    raise OSError("the disk is full")


def test_where_the_disk_is_full_nothing_is_counted_and_that_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_told: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    told: list[tuple[str, dict[str, object]]] = []
    assert meters_here("main", lambda name, **fields: told.append((name, fields))) is None
    assert told == [("metrics_unkept", {"reason": "No space left on device"})]
    assert [file for file in place.folder.glob("*.db") if file.stat().st_blocks] == []


def test_two_processes_of_one_name_count_in_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_DIR", str(tmp_path))
    settings = Settings()
    twins = [FORK.Process(target=_claim_and_count, args=(settings, number)) for number in (3, 4)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join(30)
        assert twin.exitcode == 0
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["relay-payferry", "relay-payferry.2"]
    registry = CollectorRegistry()
    registry.register(MachineCollector(tmp_path))
    shown = text_string_to_metric_families(generate_latest(registry).decode())
    swept = [sample.value for each in shown for sample in each.samples if sample.name == "payferry_swept_total"]
    assert sorted(swept)[-2:] == [3, 4]


def test_a_folder_that_cannot_be_made_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("METRICS_DIR", str(tmp_path / "file"))
    with pytest.raises(SettingsError, match=r"METRICS_DIR: .*relay-payferry cannot be written: Not a directory"):
        claim_place(Settings(), "relay")


MEETING = FORK.Barrier(2)


def _claim_and_count(settings: Settings, number: int) -> None:
    claim_place(settings, "relay")
    meters = meters_here("main", silent)
    assert meters is not None
    meters.heard("work_swept_up", {"freed": number, "woken": 0})
    MEETING.wait(20)  # both live at the same time
