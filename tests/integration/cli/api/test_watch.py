"""`payferry watch`, as its caller meets it."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from payferry.v1 import payment_pb2 as messages
from tests.acceptance.commands import PROGRAM, environment
from tests.integration.cli.api.conftest import Run
from tests.integration.client.twin import Twin, a_payment, alive, batch, hang, scene
from workers.api.refusals import (
    Refusal,
    cursor_lost,
    exhausted,
    invalid_argument,
    permission_denied,
    unauthenticated,
    unavailable,
)

SOON = exhausted("too_slow", "the client reads too slowly; go on with the cursor", 0.0)


def test_each_payment_is_a_line_and_the_end_tells_how_many_there_were(run: Run, twin: Twin) -> None:
    twin.plays(scene(batch(1, existing=True), alive("1"), batch(2, 3), then_hangs=True))
    said = run("watch", "--existing", "--count", "3")
    assert said.code == 0, said.err
    assert [line.split() for line in said.out.splitlines()] == [
        ["2026-01-01", "00:00:01Z", "stripe:pi_1", "stripe", "12.50", "EUR", "completed", "(existing)"],
        ["2026-01-01", "00:00:02Z", "stripe:pi_2", "stripe", "12.50", "EUR", "completed"],
        ["2026-01-01", "00:00:03Z", "stripe:pi_3", "stripe", "12.50", "EUR", "completed"],
    ]
    told, go_on = said.err.splitlines()
    assert told.startswith("1 existing, 2 new, ")
    assert told.endswith(", 0 reconnects")
    assert go_on == "to go on: the same with --cursor 3"


def test_with_json_each_payment_is_an_object_and_the_statistics_are_one(run: Run, twin: Twin) -> None:
    twin.plays(scene(batch(1, 2), then_hangs=True))
    said = run("watch", "--json", "--count", "2")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [(line["cursor"], line["payment"]["amount"], line["existing"]) for line in lines] == [
        ("1", "12.50", False),
        ("2", "12.50", False),
    ]
    told = json.loads(said.err)
    assert told.pop("duration_seconds") >= 0
    assert told == {"existing": 0, "new": 2, "reconnects": 0, "cursor": "2"}


def test_the_filters_and_the_cursor_reach_the_server(run: Run, twin: Twin) -> None:
    twin.plays(scene(batch(8), then_hangs=True))
    filters = ("--provider", "stripe", "--provider", "paypal", "--status", "failed", "--currency", "eur")
    said = run("watch", *filters, "--customer", "cus_1", "--since", "2026-01-05", "--cursor", "7", "--count", "1")
    assert said.code == 0, said.err
    [asked] = twin.asked
    assert (list(asked.filter.providers), list(asked.filter.statuses)) == ([1, 3], [6])
    assert (list(asked.filter.currencies), asked.filter.customer_reference, asked.cursor) == (["eur"], "cus_1", "7")
    assert asked.filter.created_from.ToJsonString() == "2026-01-05T00:00:00Z"
    assert twin.tokens == ["Bearer a-token-for-the-twin"]


def test_a_reconnect_is_told_and_no_event_comes_twice(run: Run, twin: Twin) -> None:
    twin.plays(scene(batch(1), SOON), scene(batch(2), then_hangs=True))
    said = run("watch", "--count", "2")
    assert [line.split()[2] for line in said.out.splitlines()] == ["stripe:pi_1", "stripe:pi_2"]
    lines = said.err.splitlines()
    assert lines[0].startswith(
        "the client reads too slowly; go on with the cursor (too_slow); failure 1 in a row, again"
    )
    assert lines[1].endswith(", 1 reconnect")


def test_with_json_a_reconnect_is_an_object_too(run: Run, twin: Twin) -> None:
    twin.plays(scene(batch(1), SOON), scene(batch(2), then_hangs=True))
    reconnect, statistics = map(json.loads, run("watch", "--json", "--count", "2").err.splitlines())
    assert reconnect["reconnecting"]["code"] == "too_slow"
    assert statistics["reconnects"] == 1


def test_a_watch_ends_after_its_time_also_where_nothing_happens(run: Run, twin: Twin) -> None:
    twin.plays(scene(alive("5"), then_hangs=True))
    began = time.monotonic()
    said = run("watch", "--for", "0.3")
    assert (said.code, said.out) == (0, "")
    assert 0.3 <= time.monotonic() - began < 5
    assert "to go on: the same with --cursor 5" in said.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_watch_that_is_told_to_end_tells_its_statistics_and_exits_with_0(
    run: Run, twin: Twin, number: signal.Signals
) -> None:
    def until_told(_request: object, context: grpc.ServicerContext) -> Iterator[messages.StreamPaymentsResponse]:
        yield batch(1)
        yield alive("1")
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        hang(context)

    twin.plays(until_told)
    said = run("watch")
    assert said.code == 0
    assert said.err.splitlines()[0].startswith("0 existing, 1 new, ")


def test_a_watch_that_gives_up_exits_with_1_after_its_statistics(run: Run, twin: Twin) -> None:
    twin.plays(scene(batch(1), unavailable("going_down", "this server is ending", 0.0)), scene(SOON))
    said = run("watch", "--max-reconnects", "1")
    assert said.code == 1
    assert "0 existing, 1 new" in said.err
    assert "to go on: the same with --cursor 1" in said.err
    assert said.err.splitlines()[-1].startswith("payferry: too_slow: the client reads too slowly")
    assert "given up after 2 failures in a row" in said.err


def test_a_cursor_that_is_too_old_exits_with_1_and_the_way_out(run: Run, twin: Twin) -> None:
    twin.plays(scene(cursor_lost("this cursor is older than what is kept")))
    said = run("watch", "--cursor", "1")
    assert said.code == 1
    assert said.err.startswith("payferry: ")
    assert "begin anew without it, with include_existing" in said.err
    assert said.err.count("\n") == 1  # nobody is told to go on with it


def test_a_cursor_that_is_none_exits_with_2_and_nobody_is_told_to_go_on_with_it(run: Run, twin: Twin) -> None:
    twin.plays(scene(invalid_argument("cursor", "not a cursor of this service: send it exactly as it came")))
    said = run("watch", "--cursor", "xx")
    assert said.code == 2
    assert said.err == "payferry: cursor: not a cursor of this service: send it exactly as it came\n"


@pytest.mark.parametrize(
    ("refusal", "setting"),
    [
        (unauthenticated("no such token"), "PAYFERRY_API_TOKEN"),
        (permission_denied("read"), "API_TOKENS"),
    ],
    ids=["unknown token", "grant lacks"],
)
def test_a_token_that_is_refused_exits_with_2_and_names_the_setting(
    run: Run, twin: Twin, refusal: Refusal, setting: str
) -> None:
    twin.plays(scene(refusal))
    said = run("watch")
    assert said.code == 2
    assert setting in said.err
    assert "a-token-for-the-twin" not in said.err


def test_a_token_does_not_travel_to_another_machine_for_all_to_read(run: Run) -> None:
    said = run("watch", "--address", "payments.example:50051")
    assert said.code == 2
    assert "use TLS (PAYFERRY_API_TLS=true)" in said.err
    assert "a-token-for-the-twin" not in said.err


def test_what_would_steer_the_terminal_is_shown_as_text(run: Run, twin: Twin) -> None:
    event = messages.PaymentEvent(cursor="1", payment=a_payment(1, id="stripe:\x1b[2Jpi"))
    twin.plays(scene(messages.StreamPaymentsResponse(events=[event], cursor="1"), then_hangs=True))
    out = run("watch", "--count", "1").out
    assert "\x1b" not in out
    assert "stripe:\\x1b[2Jpi" in out


def test_a_wrong_moment_is_told_with_the_option(run: Run) -> None:
    said = run("watch", "--since", "yesterday")
    assert said.code == 2
    assert "--since 'yesterday' is no date or time" in said.err


def test_who_reads_a_pipe_may_stop_when_it_has_read_enough(twin: Twin, tmp_path: Path) -> None:
    twin.plays(scene(*(batch(*range(start, start + 100)) for start in range(1, 20_000, 100))))
    env = environment({"PAYFERRY_API": twin.address})
    with subprocess.Popen(
        [PROGRAM, "watch"], env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"stripe:pi_1 " in process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 0
    assert [line.split()[0] for line in err.splitlines()] == ["0", "to"]  # the statistics, and nothing of a pipe
