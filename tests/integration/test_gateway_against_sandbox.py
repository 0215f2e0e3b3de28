"""The gateways and the sandbox, over real connections."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest

from payments.event import Provider
from payments.failures import (
    AnswerTimeout,
    Conflict,
    ConnectionReset,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
    Unreachable,
)
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateway import Gateway
from payments.gateway.gateways import build_gateways
from payments.gateway.result import Answer, Charge, Verdict
from tests.sandbox_process import HASTY, PATIENT, PROJECT, Sandbox

PROVIDERS = list(Provider)
WITH_VOID = [Provider.STRIPE, Provider.PAYPAL, Provider.CANONICAL]

GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, time
import gevent
from payments.event import Provider
from payments.gateway.client import ClientPolicy
from payments.gateway.endpoint import Endpoint
from payments.gateway.gateways import build_gateways
from payments.gateway.result import Charge
endpoints = {Provider.STRIPE: Endpoint(base_url=sys.argv[1], api_key="k")}
stripe = build_gateways(endpoints, ClientPolicy())[Provider.STRIPE]
def capture(number):
    charge = Charge(payment_id=f"pi_g{number}", amount_minor=100, currency="USD")
    return stripe.capture(charge, f"g{number}").verdict
started = time.monotonic()
jobs = [gevent.spawn(capture, number) for number in range(40)]
gevent.joinall(jobs, raise_error=True)
print({job.value for job in jobs} == {"done"}, time.monotonic() - started)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.put_faults()
    return running


@pytest.fixture
def charge(request: pytest.FixtureRequest) -> Charge:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return Charge(payment_id=f"id-{name}", amount_minor=12_345, currency="USD")


def authorized_as(charge: Charge, answer: Answer) -> Charge:
    return msgspec.structs.replace(charge, authorization_id=answer.reference_id)


def captured_as(charge: Charge, answer: Answer) -> Charge:
    return msgspec.structs.replace(charge, capture_id=answer.reference_id)


def found(gateway: Gateway, charge: Charge) -> Answer | None:
    standing = gateway.stand(charge)
    return None if standing is None else standing.answer_to("capture", charge)


def actions(sandbox: Sandbox, charge: Charge) -> list[tuple[str, int | None]]:
    return [(effect["action"], effect["amount_minor"]) for effect in sandbox.effects(charge.payment_id)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_goes_all_its_way(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    authorized = gateway.authorize(charge, "authorize-it")
    assert authorized.verdict is Verdict.DONE
    reserved = authorized_as(charge, authorized)
    assert found(gateway, reserved) is None
    captured = gateway.capture(reserved, "capture-it-" + provider)
    assert (captured.verdict, captured.amount_minor) == (Verdict.DONE, 12_345)
    assert found(gateway, reserved) == captured
    part = msgspec.structs.replace(captured_as(reserved, captured), amount_minor=345)
    refunded = gateway.refund(part, "refund-it-" + provider)
    assert (refunded.verdict, refunded.amount_minor) == (Verdict.DONE, 345)
    assert refunded.reference_id not in {None, captured.reference_id}
    done = actions(sandbox, charge)
    assert [action for action, _ in done] == ["authorize", "capture", "refund"]
    assert done[1:] == [("capture", 12_345), ("refund", 345)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_payment_authorised_elsewhere_is_captured_and_found(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    captured = gateway.capture(charge, "capture-" + charge.payment_id)
    assert found(gateway, charge) == captured
    assert actions(sandbox, charge) == [("capture", 12_345)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_key_gives_the_same_answer_and_one_effect(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    captured = [gateway.capture(charge, "capture-" + charge.payment_id) for _ in range(3)]
    assert captured[0] == captured[1] == captured[2]
    to_refund = captured_as(charge, captured[0])
    refunded = [gateway.refund(to_refund, "refund-" + charge.payment_id) for _ in range(3)]
    assert refunded[0] == refunded[1] == refunded[2]
    assert actions(sandbox, charge) == [("capture", 12_345), ("refund", 12_345)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_capture_under_another_key_is_done_but_not_again(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway = sandbox.gateways()[provider]
    first = gateway.capture(charge, "one-" + charge.payment_id)
    assert gateway.capture(charge, "two-" + charge.payment_id) == first
    with pytest.raises(Refused):
        gateway.capture(msgspec.structs.replace(charge, amount_minor=1), "three-" + charge.payment_id)
    assert actions(sandbox, charge) == [("capture", 12_345)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_careless_provider_captures_twice(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"allow_double_capture": True}})
    gateway = sandbox.gateways()[provider]
    gateway.capture(charge, "one-" + charge.payment_id)
    gateway.capture(charge, "two-" + charge.payment_id)
    assert actions(sandbox, charge) == [("capture", 12_345)] * 2


@pytest.mark.parametrize("provider", WITH_VOID)
def test_a_voided_payment_cannot_be_captured(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    assert gateway.void(charge, "void-" + charge.payment_id).verdict is Verdict.DONE
    with pytest.raises(Refused):
        gateway.capture(charge, "capture-" + charge.payment_id)
    assert [action for action, _ in actions(sandbox, charge)] == ["void"]


def test_razorpay_lets_a_payment_lapse_only_where_it_is_not_captured(sandbox: Sandbox, charge: Charge) -> None:
    gateway = sandbox.gateways()[Provider.RAZORPAY]
    assert gateway.void(charge, "void-it-now").verdict is Verdict.DONE
    gateway.capture(charge, "capture-it")
    with pytest.raises(Refused):
        gateway.void(charge, "void-it-now")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("verb", ["authorize", "capture"])
def test_a_decline_is_an_answer_and_stays_one(sandbox: Sandbox, provider: Provider, verb: str, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"decline_rate": 1}})
    step: Callable[[Charge, str], Answer] = getattr(sandbox.gateways()[provider], verb)
    answers = [step(charge, verb + charge.payment_id) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0].verdict is Verdict.DECLINED
    assert (answers[0].code or "").lower() in {"insufficient_funds", "instrument_declined"}
    assert actions(sandbox, charge) == []


def test_the_same_payments_are_declined_for_one_seed(sandbox: Sandbox) -> None:
    def declined(seed: int, name: str) -> list[Verdict]:
        sandbox.put_faults(canonical={"decline_rate": 0.4, "seed": seed, "allow_double_capture": True})
        charges = [Charge(payment_id=f"seed-{n}", amount_minor=5, currency="USD") for n in range(40)]
        return [gateway.capture(charge, f"{name}-{charge.payment_id}").verdict for charge in charges]

    gateway = sandbox.gateways()[Provider.CANONICAL]
    first = declined(7, "first")
    assert set(first) == {Verdict.DONE, Verdict.DECLINED}
    assert declined(7, "second") == first
    assert declined(8, "third") != first


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_429_carries_its_pause(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"rate_limit_rate": 1, "retry_after_seconds": 17}})
    with pytest.raises(RateLimited) as caught:
        sandbox.gateways()[provider].capture(charge, "capture-" + charge.payment_id)
    assert caught.value.retry_after_seconds == 17
    assert actions(sandbox, charge) == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_outage_is_unavailable_for_that_provider_alone(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"outage": True}})
    gateways = sandbox.gateways()
    with pytest.raises(Unavailable):
        gateways[provider].capture(charge, "capture-" + charge.payment_id)
    other = next(other for other in PROVIDERS if other is not provider)
    assert gateways[other].capture(charge, "capture-" + charge.payment_id).verdict is Verdict.DONE


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["timeout_after_effect_rate", "drop_before_effect_rate"])
def test_a_lost_answer_is_unknown_and_the_repeat_makes_one_effect(
    sandbox: Sandbox, provider: Provider, fault: str, charge: Charge
) -> None:
    gateway, key = sandbox.gateways(HASTY)[provider], "capture-" + charge.payment_id
    sandbox.put_faults(**{provider: {fault: 1}})
    with pytest.raises(OutcomeUnknown):
        gateway.capture(charge, key)
    assert len(actions(sandbox, charge)) == (fault == "timeout_after_effect_rate")
    sandbox.put_faults()
    assert gateway.capture(charge, key).verdict is Verdict.DONE
    assert actions(sandbox, charge) == [("capture", 12_345)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_authorize_whose_answer_was_lost_makes_one_effect(
    sandbox: Sandbox, provider: Provider, charge: Charge
) -> None:
    gateway, key = sandbox.gateways(HASTY)[provider], "authorize-" + charge.payment_id
    sandbox.put_faults(**{provider: {"timeout_after_effect_rate": 1}})
    with pytest.raises(OutcomeUnknown):
        gateway.authorize(charge, key)
    sandbox.put_faults()
    assert gateway.authorize(charge, key).verdict is Verdict.DONE
    assert len(actions(sandbox, charge)) == 1


@pytest.mark.parametrize("provider", [Provider.STRIPE, Provider.PAYPAL, Provider.CANONICAL])
def test_a_key_in_use_is_a_conflict(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"latency_ms": 500}})
    gateway, key = sandbox.gateways()[provider], "capture-" + charge.payment_id

    def capture(_number: int) -> Answer | Conflict:
        try:
            return gateway.capture(charge, key)
        except Conflict as busy:
            return busy

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(capture, range(2))
    assert {type(first), type(second)} == {Answer, Conflict}
    assert actions(sandbox, charge) == [("capture", 12_345)]


@pytest.mark.parametrize("provider", [Provider.STRIPE, Provider.PAYPAL, Provider.CANONICAL])
def test_a_key_used_for_something_else_is_refused(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    gateway = sandbox.gateways()[provider]
    gateway.capture(charge, "key-" + charge.payment_id)
    with pytest.raises(Refused):
        gateway.void(charge, "key-" + charge.payment_id)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_strict_sandbox_knows_only_its_own_payments(sandbox: Sandbox, provider: Provider, charge: Charge) -> None:
    sandbox.put_faults(**{provider: {"strict": True}})
    gateway, key = sandbox.gateways()[provider], "capture-" + charge.payment_id
    with pytest.raises(Refused):
        gateway.capture(charge, key)
    assert found(gateway, charge) is None
    seed = {"amount_minor": 12_345, "currency": "USD"}
    sandbox.http.put(f"/sandbox/payments/{provider}/{charge.payment_id}", json=seed)
    with pytest.raises(Refused):
        gateway.capture(msgspec.structs.replace(charge, amount_minor=12_346), key + "too-much")
    assert gateway.capture(charge, key).amount_minor == 12_345


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_sandbox_keeps_its_answers(tmp_path: Path, number: signal.Signals, charge: Charge) -> None:
    sandbox = Sandbox(tmp_path)
    try:
        before = {p: g.capture(charge, "capture-" + charge.payment_id) for p, g in sandbox.gateways().items()}
        sandbox.stop(number)
        with sandbox.effects_path.open("ab") as log:
            log.write(b'{"seq":5,"at":')  # a line that the death of its writer cut off
        sandbox.start()
        gateways = sandbox.gateways()
        again = {p: gateway.capture(charge, "capture-" + charge.payment_id) for p, gateway in gateways.items()}
        asked = {p: found(gateway, charge) for p, gateway in gateways.items()}
        assert before == again == asked
        assert [effect["seq"] for effect in sandbox.effects(charge.payment_id)] == [1, 2, 3, 4]
    finally:
        sandbox.stop()


def test_effects_come_in_pages(sandbox: Sandbox, charge: Charge) -> None:
    gateway = sandbox.gateways()[Provider.CANONICAL]
    for number in range(5):
        one = msgspec.structs.replace(charge, payment_id=f"{charge.payment_id}-{number}")
        gateway.capture(one, one.payment_id)
    after: int | None = 0
    seen: list[int] = []
    while after is not None:
        page = f"provider=canonical&limit=2&after={after}"
        body = sandbox.http.get(f"/sandbox/effects?{page}").json()
        assert len(body["effects"]) <= 2
        seen += [effect["seq"] for effect in body["effects"]]
        after = body["next_after"]
    assert len(seen) >= 5
    assert seen == sorted(set(seen))


class RawCase(NamedTuple):
    """A capture that was made before, as the provider itself answers it."""

    path: str
    body: dict[str, str]
    status: int
    says: str


@pytest.mark.parametrize(
    "case",
    [
        RawCase("/v1/payment_intents/{id}/capture", {}, 400, "payment_intent_unexpected_state"),
        RawCase("/v2/payments/authorizations/{id}/capture", {}, 422, "AUTHORIZATION_ALREADY_CAPTURED"),
    ],
)
def test_a_second_capture_gets_the_providers_own_error(sandbox: Sandbox, case: RawCase, charge: Charge) -> None:
    url = case.path.format(id=charge.payment_id)
    headers = {"Authorization": "Bearer k", "Content-Length": "0"}
    first, second = (sandbox.http.post(url, headers=headers) for _ in range(2))
    assert first.is_success
    assert second.status_code == case.status
    assert case.says in second.text


def test_a_request_may_ask_for_its_own_fault(sandbox: Sandbox, charge: Charge) -> None:
    def capture(fault: str, key: str | None = "k") -> httpx.Response:
        headers = {"X-Sandbox-Fault": fault, "Idempotency-Key": f"{key}-{charge.payment_id}"}
        url = f"/payments/{charge.payment_id}/capture"
        body = {"amount_minor": 5, "currency": "EUR"}
        return sandbox.http.post(url, headers={**headers, "Authorization": "Bearer k"}, json=body)

    assert capture("status=504").status_code == 504
    assert capture("rate-limit=9").headers["retry-after"] == "9"
    assert capture("decline=expired_card", "declined").json()["code"] == "expired_card"
    assert capture("no-such-fault").status_code == 400
    started = time.monotonic()
    assert capture("latency=200").json()["verdict"] == "done"
    assert time.monotonic() - started >= 0.2


def test_a_request_without_a_key_of_ours_is_refused(sandbox: Sandbox) -> None:
    for path in ("/v1/payment_intents/a/capture", "/v1/payments/a/capture", "/payments/a/capture"):
        assert sandbox.http.post(path).status_code == 401


@pytest.mark.parametrize("body", [{"stripe": {"latency_ms": -1}}, {"adyen": {}}, {"stripe": {"latencyms": 5}}, []])
def test_faults_that_make_no_sense_are_refused_whole(sandbox: Sandbox, body: object) -> None:
    before = sandbox.http.get("/sandbox/faults").json()
    assert sandbox.http.put("/sandbox/faults", json=body).status_code == 400
    assert sandbox.http.get("/sandbox/faults").json() == before


def test_many_slow_requests_are_served_at_once(sandbox: Sandbox) -> None:
    sandbox.put_faults(stripe={"latency_ms": 300})
    gateway = sandbox.gateways()[Provider.STRIPE]
    started = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        charges = [Charge(payment_id=f"slow-{n}", amount_minor=5, currency="USD") for n in range(40)]
        answers = list(pool.map(lambda charge: gateway.capture(charge, charge.payment_id), charges))
    assert {answer.verdict for answer in answers} == {Verdict.DONE}
    assert time.monotonic() - started < 40 * 0.3 / 3


def test_greenlets_share_the_client(sandbox: Sandbox) -> None:
    pytest.importorskip("gevent")
    sandbox.put_faults(stripe={"latency_ms": 300})
    command = [sys.executable, "-c", GREENLETS, sandbox.url]
    done, seconds = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout.split()
    assert done == "True"
    assert float(seconds) < 40 * 0.3 / 3


def test_a_refused_connection_is_unreachable(charge: Charge) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have the port
        endpoint = Endpoint(base_url=f"http://127.0.0.1:{closed.getsockname()[1]}", api_key="k")
        gateway = build_gateways({Provider.STRIPE: endpoint}, PATIENT)[Provider.STRIPE]
        with pytest.raises(Unreachable):
            gateway.capture(charge, "k")


@contextlib.contextmanager
def speaking(*parts: bytes, pause_seconds: float = 0) -> Iterator[Gateway]:
    """A gateway to a server that sends `parts` one by one, whatever it is asked."""
    ended = threading.Event()

    def speak(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            for part in parts:
                connection.sendall(part)
                if ended.wait(pause_seconds):
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=speak, args=(server,))
        thread.start()
        endpoint = Endpoint(base_url=f"http://127.0.0.1:{server.getsockname()[1]}", api_key="k")
        yield build_gateways({Provider.STRIPE: endpoint}, HASTY)[Provider.STRIPE]
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", *[b"."] * 9000], id="body"),
        pytest.param([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 9000], id="headers"),
    ],
)
def test_a_server_that_drips_meets_the_total_timeout(parts: list[bytes], charge: Charge) -> None:
    with speaking(*parts, pause_seconds=0.05) as gateway:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown) as caught:
            gateway.capture(charge, "k")
        assert type(caught.value) is AnswerTimeout
        assert 0.5 < time.monotonic() - started < 1.5


def test_an_oversized_answer_is_not_read(charge: Charge) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 100) as gateway:
        with pytest.raises(OutcomeUnknown) as caught:
            gateway.capture(charge, "k")
        assert caught.value.code == "answer_too_large"


def test_a_redirect_is_refused_and_not_followed(sandbox: Sandbox, charge: Charge) -> None:
    target = f"{sandbox.url}/v1/payment_intents/{charge.payment_id}/capture"
    answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
    with speaking(answer.encode()) as gateway, pytest.raises(Refused):
        gateway.capture(charge, "k")
    assert actions(sandbox, charge) == []


def test_a_connection_closed_in_the_middle_of_the_answer_leaves_it_unknown(charge: Charge) -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{") as gateway:
        with pytest.raises(OutcomeUnknown) as caught:
            gateway.capture(charge, "k")
        assert type(caught.value) is ConnectionReset
