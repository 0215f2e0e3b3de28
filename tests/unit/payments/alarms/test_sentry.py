"""What Sentry is sent, seen by a transport that keeps it."""

import json
import re
from typing import Any

import pytest
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sentry_sdk.utils import event_from_exception

from payments.alarms.alarms import Alarms
from payments.alarms.sentry import Sentry, SentryPolicy, build_client
from payments.log_events import Tell, teller

DSN = "https://publickey@sentry.example/7"
POLICY = SentryPolicy(dsn=DSN, environment="staging", server_name="worker-1")
CARD, CVV, MAIL, KEY = "4242424242424242", "737", "jane@example.com", "sk_live_51HabcDEF"


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
    quiet = teller(Silence())
    return teller(Silence(), Alarms(lambda: Sentry(POLICY, quiet, recorder), quiet).sound)


def test_an_alarm_is_one_event_that_says_what_where_and_who(tell: Tell, recorder: Recorder) -> None:
    tell("payment_buried", reason="http_500")
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


def test_an_exception_is_sent_without_locals_source_or_what_its_text_quotes(recorder: Recorder) -> None:
    client = build_client(POLICY, recorder)
    with pytest.raises(ValueError, match="declined") as raised:
        _charge(CARD)
    event, hint = event_from_exception((raised.type, raised.value, raised.tb), client_options=client.options)
    client.capture_event(event, hint)
    (exception,) = recorder.events[0]["exception"]["values"]
    frames = exception["stacktrace"]["frames"]
    assert exception["value"] == "[card] was declined for [email]"
    assert frames[-1]["function"] == "_charge"
    assert [frame for frame in frames if {"vars", "context_line", "pre_context"} & frame.keys()] == []
    assert [canary for canary in (CARD, MAIL) if canary in recorder.sent[0]] == []


def _charge(card: str) -> None:
    payer = MAIL
    raise ValueError(f"{card} was declined for {payer}")


def test_variables_of_the_library_s_own_change_nothing(monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    monkeypatch.setenv("SENTRY_DSN", "https://other@elsewhere.example/1")
    monkeypatch.setenv("SENTRY_DEBUG", "1")
    monkeypatch.setenv("SENTRY_SPOTLIGHT", "1")
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "elsewhere")
    client = build_client(POLICY, recorder)
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

    monkeypatch.setattr("payments.alarms.sentry.scrubbed", fail)
    told: list[tuple[str, dict[str, object]]] = []
    Sentry(POLICY, lambda name, **fields: told.append((name, fields)), recorder).send("compensation_failed", "", {})
    assert recorder.sent == []
    assert told == [("alarm_unsent", {"reason": "left out"})]


def test_the_dsn_does_not_show() -> None:
    assert "publickey" not in f"{POLICY!r} {POLICY}"
