"""What Sentry is sent, seen by a transport that keeps it."""

import json
import re
from typing import Any

import msgspec
import pytest
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sentry_sdk.utils import event_from_exception

from payments.alarms.alarms import Alarms
from payments.alarms.notice import Notice
from payments.alarms.sentry import Sentry, SentryPolicy
from payments.alarms.trail import Trail
from payments.failures import CardDeclined, DatabaseAway, Permanent
from payments.log_events import Tell, teller
from tasks.again import Again

DSN = "https://publickey@sentry.example/7"
POLICY = SentryPolicy(dsn=DSN, environment="staging", server_name="worker-1")
CARD, CVV, MAIL, KEY = "4242424242424242", "737", "jane@example.com", "sk_live_51HabcDEF"
NAME = "Jane Q. Public"


class Recorder(Transport):
    """Keeps envelopes as the bytes that would be sent."""

    def __init__(self) -> None:
        super().__init__({"dsn": DSN})
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope.serialize().decode())

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(sent.splitlines()[2]) for sent in self.sent]


class Silence:
    """A logger that says nothing."""

    def __getattr__(self, level: str) -> object:
        return lambda _name, **_fields: None


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def tell(recorder: Recorder) -> Tell:
    """What a process tells its log events with, where a DSN is set."""
    quiet, trail = teller(Silence()), Trail()
    return teller(Silence(), Alarms(lambda: Sentry(POLICY, quiet, recorder, trail=trail), quiet, trail=trail).sound)


def test_an_alarm_is_one_event_that_says_what_where_and_who(tell: Tell, recorder: Recorder) -> None:
    tell("payment_put_off", code="http_500", delay_seconds=2.0)
    tell("payment_worked_off", ending="declined")
    tell("compensation_failed", provider="stripe", payment_id="pi_3Nk", code="void_refused")
    (event,) = recorder.events
    assert (event["level"], event["environment"], event["server_name"]) == ("fatal", "staging", "worker-1")
    assert event["message"] == "What was done at a provider could not be taken back. Somebody must look now."
    assert event["release"].startswith("payferry@")
    assert event["tags"] == {"alarm": "compensation_failed", "provider": "stripe", "code": "void_refused"}
    assert event["contexts"] == {"alarm": {"payment_id": "pi_3Nk"}}
    assert event["event_id"] in recorder.sent[0].splitlines()[0], "one id, in the envelope and in the event"


def test_nothing_is_collected_that_nobody_gave(tell: Tell, recorder: Recorder) -> None:
    tell("compensation_failed", code="x")
    (event,) = recorder.events
    absent = {"breadcrumbs", "exception", "extra", "modules", "request", "stacktrace", "threads", "user", "_meta"}
    assert absent & event.keys() == set()
    assert event["sdk"]["integrations"] == []


BURIAL = {"provider": "stripe", "reason": "http_500", "failure_type": "server_error", "category": "unknown"}


def test_a_burial_is_an_error_that_is_grouped_with_those_of_its_fingerprint(tell: Tell, recorder: Recorder) -> None:
    tell("payment_buried", **BURIAL, payment_id="pi_1", fingerprint="ab12cdef01234567", criticality="normal")
    tell("record_buried", reason="undecodable", offset=41, fingerprint="00112233445566ab")
    first, second = recorder.events
    assert (first["level"], first["fingerprint"]) == ("error", ["payment_buried", "ab12cdef01234567"])
    assert first["tags"] == {"alarm": "payment_buried", **BURIAL, "criticality": "normal"}
    assert first["contexts"] == {"alarm": {"payment_id": "pi_1", "fingerprint": "ab12cdef01234567"}}
    assert second["fingerprint"] == ["record_buried", "00112233445566ab"]


def test_one_failure_is_one_event_whatever_else_is_told_of_it(tell: Tell, recorder: Recorder) -> None:
    tell("compensation_failed", provider="stripe", payment_id="pi_1", code="http_400")
    tell("payment_buried", **BURIAL, payment_id="pi_1", criticality="compensation_failed")
    tell("dead_letter_critical", **BURIAL, payment_id="pi_1", criticality="compensation_failed")
    tell("payment_buried", **BURIAL, payment_id="pi_2", criticality="amount_over_limit")
    tell("dead_letter_critical", **BURIAL, payment_id="pi_2", criticality="amount_over_limit")
    assert [event["tags"]["alarm"] for event in recorder.events] == ["compensation_failed", "dead_letter_critical"]


def test_the_last_changes_of_breakers_stand_beside_an_alarm(tell: Tell, recorder: Recorder) -> None:
    for generation in range(30):
        tell("breaker_opened", breaker="stripe", was="closed", reason=f"failures of {CARD}", generation=generation)
    tell("compensation_failed", code="x")
    (event,) = recorder.events
    crumbs = event["breadcrumbs"]["values"]
    assert [crumb["data"]["generation"] for crumb in crumbs] == list(range(10, 30))
    assert {(crumb["message"], crumb["level"], crumb["data"]["breaker"]) for crumb in crumbs} == {
        ("breaker_opened", "warning", "stripe")
    }
    assert CARD not in recorder.sent[0]


STACK = (
    "tasks/payments.py:16 in process_payment\npayments/flows/process.py:80 in work_off\n"
    "caused by KeyError\nsite/json.py:9 in loads"
)


def test_a_bug_is_shown_with_the_places_in_the_code_that_it_came_through(tell: Tell, recorder: Recorder) -> None:
    tell("payment_buried", **{**BURIAL, "failure_type": "unexpected"}, stack=STACK)
    (event,) = recorder.events
    cause, raised = event["exception"]["values"]
    assert (cause["type"], raised["type"]) == ("KeyError", "unexpected")
    frames = raised["stacktrace"]["frames"]
    assert [(frame["filename"], frame["lineno"], frame["function"]) for frame in frames] == [
        ("tasks/payments.py", 16, "process_payment"),
        ("payments/flows/process.py", 80, "work_off"),
    ]
    assert [frame["in_app"] for frame in (*cause["stacktrace"]["frames"], *frames)] == [False, True, True]
    assert "stack" not in event["contexts"]["alarm"]


def test_every_field_arrives_however_many_there_are(tell: Tell, recorder: Recorder) -> None:
    fields = {f"field_{number}": [[[[[[number]]]]]] for number in range(30)}
    tell("compensation_failed", **fields)
    assert recorder.events[0]["contexts"]["alarm"] == fields


def test_alarms_are_grouped_by_their_name_and_cause(tell: Tell, recorder: Recorder) -> None:
    tell("compensation_failed", code="a", payment_id="pi_1")
    tell("compensation_failed", code="a", payment_id="pi_2")
    tell("compensation_failed", code="b", reason="c")
    tell("compensation_failed", breaker="stripe")
    tell("compensation_failed", code="a", fingerprint="ab12cdef01234567")
    tell("bridge_poisoned", topic="payments.raw")
    tell("bridge_poisoned")
    assert [event["fingerprint"] for event in recorder.events] == [
        ["compensation_failed", "a"],
        ["compensation_failed", "a"],
        ["compensation_failed", "c"],
        ["compensation_failed", "stripe"],
        ["compensation_failed", "ab12cdef01234567"],
        ["bridge_poisoned", "payments.raw"],
        ["bridge_poisoned"],
    ]


def test_a_canary_in_any_field_is_in_no_part_of_the_envelope(tell: Tell, recorder: Recorder) -> None:
    told = f"charge of {CARD} cvc {CVV} by {MAIL} with {KEY}"
    fields = dict.fromkeys(("provider", "reason", "code", "category", "criticality", "fingerprint", "breaker"), told)
    tell(
        "compensation_failed",
        **fields,
        payment_id=told,
        payload=told,
        nested={"list": [told, {"cvv": CVV, "deep": [[{"card": CARD, MAIL: told}]]}], MAIL: [MAIL]},
        number=int(CARD),
        raw=told.encode(),
        pair=(told, {told}),
        error=ValueError(told),
        policy=POLICY,
    )
    (sent,) = recorder.sent
    assert [canary for canary in (CARD, MAIL, KEY, "publickey") if canary in sent] == []
    assert re.search(rf"\b{CVV}\b", sent) is None, "as a word: any three digits may stand in a random id"


def capture(sentry: Sentry, raised: BaseException) -> None:
    """Let the client take an exception as an integration hands it over."""
    event, hint = event_from_exception(raised, client_options=sentry.client.options)
    sentry.client.capture_event(event, hint)


def test_an_exception_is_sent_without_locals_source_or_its_text(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="declined") as raised:
        _charge(CARD)
    capture(Sentry(POLICY, print, recorder, trail=Trail()), raised.value)
    (exception,) = recorder.events[0]["exception"]["values"]
    frames = exception["stacktrace"]["frames"]
    assert (exception["type"], exception["value"]) == ("ValueError", "")
    assert frames[-1]["function"] == "_charge"
    assert [frame for frame in frames if {"vars", "context_line", "pre_context", "abs_path"} & frame.keys()] == []
    assert [canary for canary in (CARD, MAIL, NAME) if canary in recorder.sent[0]] == []


def _charge(card: str) -> None:
    payer = MAIL
    raise ValueError(f"{card} of {NAME} was declined for {payer}")


def test_the_text_of_a_failure_of_ours_is_made_to_be_told(recorder: Recorder) -> None:
    capture(
        Sentry(POLICY, print, recorder, trail=Trail()), Permanent(f"no such table for {CARD}", code="sqlstate_42P01")
    )
    (exception,) = recorder.events[0]["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("Permanent", "no such table for [card]")


@pytest.mark.parametrize("failure", [DatabaseAway("no answer"), Again("http_503", 2.0), CardDeclined("no")])
def test_what_is_tried_again_and_what_is_an_answer_is_no_event(recorder: Recorder, failure: Exception) -> None:
    capture(Sentry(POLICY, print, recorder), failure)
    assert recorder.sent == []


def test_an_exception_that_comes_all_the_time_is_sent_now_and_then(recorder: Recorder) -> None:
    now = 0.0
    sentry = Sentry(POLICY, print, recorder, trail=Trail(), clock=lambda: now)
    for _ in range(100):
        capture(sentry, _raised(KeyError))
    assert len(recorder.sent) == 5
    now = 60.0
    capture(sentry, _raised(KeyError))
    capture(sentry, _raised(ValueError))
    assert [event["tags"]["left_out"] for event in recorder.events[5:]] == ["95", "0"]


def _raised(kind: type[Exception]) -> Exception:
    try:
        raise kind  # noqa: TRY301 - it needs a place where it was raised
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error


def test_variables_of_the_library_s_own_change_nothing(monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    monkeypatch.setenv("SENTRY_DSN", "https://other@elsewhere.example/1")
    monkeypatch.setenv("SENTRY_DEBUG", "1")
    monkeypatch.setenv("SENTRY_SPOTLIGHT", "1")
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "elsewhere")
    client = Sentry(POLICY, print, recorder).client
    told = {name: client.options[name] for name in ("dsn", "debug", "environment", "spotlight")}
    assert told == {"dsn": DSN, "debug": False, "environment": "staging", "spotlight": False}
    assert client.spotlight is None


def test_a_transport_that_breaks_disturbs_nobody() -> None:
    class Broken(Recorder):
        def capture_envelope(self, envelope: Envelope) -> None:
            raise OSError(f"broken on {envelope.headers}")

    told: list[tuple[str, dict[str, object]]] = []
    alarms = Alarms(lambda: Sentry(POLICY, print, Broken()), lambda name, **fields: told.append((name, fields)))
    alarms.sound("compensation_failed", "", {})
    assert told == [("alarm_unsent", {"reason": "OSError"})]


def test_an_alarm_that_cannot_be_scrubbed_is_not_sent_but_told(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    def fail(_told: object) -> None:
        raise RecursionError

    monkeypatch.setattr("payments.alarms.sentry_event.scrubbed", fail)
    told: list[tuple[str, dict[str, object]]] = []
    Sentry(POLICY, lambda name, **fields: told.append((name, fields)), recorder).send(
        Notice(name="compensation_failed", level="critical", meaning="", fields={})
    )
    assert recorder.sent == []
    assert told == [("alarm_unsent", {"reason": "left out"})]


def test_a_release_has_the_name_that_somebody_gave_it(recorder: Recorder) -> None:
    policy = msgspec.structs.replace(POLICY, release="2026-11-26.3")
    Sentry(policy, print, recorder).send(Notice(name="event_refused", level="error", meaning="", fields={}))
    assert recorder.events[0]["release"] == "2026-11-26.3"


def test_the_dsn_does_not_show() -> None:
    assert "publickey" not in f"{POLICY!r} {POLICY}"
