import pytest

from workers.supervisor.spec import ProcessSpec


def test_one_of_several_instances_is_numbered_and_a_single_one_is_not() -> None:
    assert ProcessSpec(name="beat", command=["x"]).label(1) == "beat"
    assert ProcessSpec(name="worker", command=["x"], instances=3).label(2) == "worker.2"


def test_the_environment_is_the_inherited_one_under_the_specs_own() -> None:
    spec = ProcessSpec(name="worker", command=["x"], env={"A": "2"}, instances=2)
    environment = spec.environment(2, {"A": "1", "B": "1"})
    assert environment == {"A": "2", "B": "1", "PROCESS_NAME": "worker.2", "PROCESS_INSTANCE": "2"}


def test_variables_in_the_command_are_filled_in() -> None:
    spec = ProcessSpec(name="worker", command=["celery", "-n", "w${PROCESS_INSTANCE}@%h", "-c", "$SLOTS"])
    assert spec.arguments({"PROCESS_INSTANCE": "3", "SLOTS": "8"}) == ["celery", "-n", "w3@%h", "-c", "8"]


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ValueError, match="worker: its command names SLOTS"):
        ProcessSpec(name="worker", command=["$SLOTS"]).arguments({})
