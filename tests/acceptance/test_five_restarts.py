"""The API is killed and started again while payments are settled; tests/acceptance/five_restarts.py tells the story."""

from pathlib import Path

import pytest

from tests.acceptance.five_restarts import Story


@pytest.mark.parametrize(
    ("payments", "restarts"),
    [(600, 2), pytest.param(20_000, 5, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
    ids=["short", "whole"],
)
def test_a_subscriber_sees_each_event_once_and_in_order_however_often_its_server_is_killed(
    database_url: str, redis_url: str, tmp_path: Path, payments: int, restarts: int
) -> None:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    told = Story(env, tmp_path, payments, restarts).go()
    assert told["everything"]["reconnects"] >= restarts
    assert told["with_existing"]["existing"] > 0
