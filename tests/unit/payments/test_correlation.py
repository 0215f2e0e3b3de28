"""One name for all that is told of a record."""

import threading
from typing import Any

import structlog

from payments.correlation import About, correlation_here
from payments.log_events import teller
from tests.builders import a_record

HEADER = [("correlation_id", b"order-7")]


def test_a_record_goes_by_what_its_producer_calls_the_matter() -> None:
    assert a_record(headers=HEADER).correlated("evt_1") == "order-7"


def test_without_that_it_goes_by_its_event() -> None:
    assert a_record().correlated("evt_1") == "evt_1"


def test_what_is_no_event_goes_by_its_place_in_kafka() -> None:
    assert a_record(offset=42, topic="raw", partition=3).correlated(None) == "raw/3/42"


def test_a_card_number_or_an_address_is_no_name() -> None:
    for told in (b"4242424242424242", b"jo@example.com"):
        assert a_record(headers=[("correlation_id", told)]).correlated("evt_1") == "evt_1"


def test_everything_that_is_told_meanwhile_is_told_under_it_and_an_alarm_too() -> None:
    alarms: list[dict[str, Any]] = []
    with structlog.testing.capture_logs() as logs:
        tell = teller(structlog.get_logger(), lambda _name, _meaning, fields: alarms.append(fields))
        with About("order-7"):
            tell("gateway_failed", service="stripe")
            tell("compensation_failed", code="http_400")
            with About("order-8"):
                tell("gateway_failed", service="stripe")
            tell("event_refused", correlation_id="its own")
        tell("gateway_failed", service="stripe")
    assert [line.get("correlation_id") for line in logs] == ["order-7", "order-7", "order-8", "its own", None]
    assert alarms[0]["correlation_id"] == "order-7"


def test_threads_are_about_matters_of_their_own() -> None:
    both, found = threading.Barrier(2), {}

    def work(name: str) -> None:
        with About(name):
            both.wait(10)
            found[name] = correlation_here()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {"a": "a", "b": "b"}
    assert correlation_here() is None
