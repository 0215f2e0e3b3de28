import pytest

from workers.supervisor.procfile import read_procfile

TEXT = """
# what runs
bridge: payferry bridge
worker: celery -A workers.app worker -n 'w $PROCESS_INSTANCE'
"""


def test_processes_come_in_the_order_of_the_file_with_their_arguments_split() -> None:
    bridge, worker = read_procfile(TEXT)
    assert (bridge.name, bridge.command) == ("bridge", ["payferry", "bridge"])
    assert worker.command == ["celery", "-A", "workers.app", "worker", "-n", "w $PROCESS_INSTANCE"]


def test_instances_environment_and_readiness_are_by_name() -> None:
    bridge, worker = read_procfile(TEXT, env={"A": "1"}, instances={"worker": 4}, ready={"worker": lambda: True})
    assert (bridge.instances, worker.instances) == (1, 4)
    assert bridge.env == worker.env == {"A": "1"}
    assert bridge.ready is None
    assert worker.ready is not None


def test_no_instances_leave_a_process_out() -> None:
    assert [spec.name for spec in read_procfile(TEXT, instances={"worker": 0})] == ["bridge"]


def test_a_name_that_the_file_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no such process in the Procfile: wroker"):
        read_procfile(TEXT, instances={"wroker": 4})
