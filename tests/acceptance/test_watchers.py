"""What Flower, Sentry and the log show of one run: what they should, and nothing that is personal or secret."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import redis
from celery import Celery

from config.celery import REPLAY_JOB_TASK
from payments.log_events import EVERYWHERE, LOG_EVENTS
from tests.acceptance.commands import environment, payferry
from tests.acceptance.flower_pages import LOGIN, FlowerPages
from tests.acceptance.gossip import Gossip
from tests.acceptance.harbour import Harbour
from tests.acceptance.running import Sandbox, Up
from tests.fake_sentry import FakeSentry
from tests.integration.kafka import eventually
from workers.embedded.port import free_port
from workers.traffic import CARDS

pytestmark = pytest.mark.alone  # parted among processes, each of them would tell the whole story for itself

CARD, CVV, MAIL, NAME = "4242424242424242", "7391", "canary.jane@example.com", "Canary Q. Public"
KEYS = ("canary-key-canonical-51Hq", "sk_live_canary51HqStripe")
WHOLE = (*CARDS, MAIL, NAME, "@example.com", *KEYS, LOGIN[1])
MADE_UP = 60


def canaries_in(text: str) -> list[str]:
    """Return what must not be in a text and is; three or four digits only where they stand by themselves."""
    alone = [CVV] if re.search(rf"(?<![\w.-]){CVV}(?![\w-])", text) else []
    return [canary for canary in WHOLE if canary in text] + alone


class Story(msgspec.Struct):
    """What was seen of one run."""

    pages: dict[str, str] = {}
    tasks: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    unguarded: dict[str, int] = {}
    refused: dict[str, int] = {}
    log: str = ""
    monitor: dict[str, str] = {}
    reports: dict[str, str] = {}
    redis: list[str] = []
    letters: int = 0
    quoted: int = 0
    emails: int = 0
    sentry: list[dict[str, Any]] = []
    check_ins: list[dict[str, Any]] = []
    sent: str = ""


@pytest.fixture(scope="module")
def story(harbour: Harbour) -> Story:
    with (
        FakeSentry() as sentry,
        Gossip(CARD, MAIL, f"cvv {CVV}") as gossip,
        Sandbox(harbour.folder, "--decline-rate", "0.2") as sandbox,
    ):
        port = free_port()
        env = {
            **harbour.env,
            "SANDBOX_URL": sandbox.url,
            "CANONICAL_BASE_URL": gossip.url,
            "CANONICAL_API_KEY": KEYS[0],
            "STRIPE_API_KEY": KEYS[1],
            "SENTRY_DSN": sentry.dsn,
            "SENTRY_ENVIRONMENT": "test",
            "SENTRY_RELEASE": "payferry@test",
            "FLOWER_PORT": str(port),
            "FLOWER_BASIC_AUTH": ":".join(LOGIN),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "debug",
            "BACKOFF_BASE_SECONDS": "0.2",
        }
        told, flower = Story(), FlowerPages(port)
        with Up(env, harbour.folder) as up:
            eventually(lambda: flower.get("/healthcheck").is_success, "Flower answers")
            _send_payments(env, harbour)
            eventually(lambda: _all_has_ended(harbour), "all has ended")
            told.letters, told.quoted, told.emails = _numbers(harbour, _LETTERS, _QUOTED, _EMAILS)
            eventually(lambda: _outcome(flower, "away")[:1] == ["SUCCESS"], "Flower has heard of the last retry")
            told.pages, told.tasks = flower.shown(), flower.tasks()
            told.unguarded = {path: flower.get(path, login=False).status_code for path in told.pages}
            told.refused = {path: flower.post(path).status_code for path in _orders(flower.worker())}
            told.monitor = _monitor_pages(up.place("Monitor").removesuffix("/health"))
            told.reports = _reports(env, harbour.folder)
            told.redis = [*_held(harbour.redis_url), *_held(harbour.redis_url.removesuffix("/0") + "/1")]
            told.failed = _fail_in_an_unforeseen_way(harbour, flower)
            _send_what_beat_sends_once_a_minute(env, harbour.folder)
            eventually(lambda: len(_ended(sentry.check_ins)) >= len(WATCHED), "the workers have checked in")
        told.log = up.output()
        told.sentry, told.check_ins, told.sent = sentry.events, sentry.check_ins, "\n".join(sentry.bodies)
        flower.close()
    return told


_LETTERS = "SELECT count(*) FROM dead_letters"
_QUOTED = "SELECT count(*) FROM inbox WHERE failures::TEXT LIKE '%[card]%[email]%[cvc]%[secret]%'"
_EMAILS = "SELECT count(*) FROM payments WHERE customer_email LIKE 'canary%'"


def _send_payments(env: dict[str, str], harbour: Harbour) -> None:
    """Send made-up payments, and some that have canaries wherever they can be, read and unread."""
    made_up = ("produce", "--count", str(MADE_UP), "--seed", "11", "--bad", "0.15")
    assert payferry(*made_up, env=env, folder=harbour.folder).code == 0
    lines = [_event("pay-refused-1"), _event("pay-refused-2"), _event("pay-away-1"), _event("pay-well-1")]
    lines += [_event("pay-bad-1", amount=f"{CARD} {MAIL}"), _event("pay-bad-2", created_at=NAME), f"{CARD} {MAIL}"]
    file = harbour.folder / "canaries.jsonl"
    file.write_text("\n".join(lines))
    assert payferry("produce", "--file", str(file), env=env, folder=harbour.folder).code == 0


def _event(name: str, **instead: str) -> str:
    personal = {"card": CARD, "cvv": CVV, "note": f"{NAME}, {MAIL}, {KEYS[0]}"}
    told = {
        "id": name,
        "amount": "12.50",
        "currency": "EUR",
        "status": "pending",
        "created_at": "2026-05-04T12:00:00Z",
        "customer_reference": NAME,
        "customer_email": MAIL,
        "metadata": personal,
        "notes": personal,
    }
    return json.dumps({**told, **instead})


def _numbers(harbour: Harbour, *statements: str) -> list[int]:
    return [harbour.ledger.rows(statement)[0][0] for statement in statements]


def _all_has_ended(harbour: Harbour) -> bool:
    return harbour.ledger.ended() == harbour.ledger.taken_in() >= MADE_UP * 0.9 + 7


def _outcome(flower: FlowerPages, name: str) -> list[str]:
    return [task["state"] for task in flower.tasks() if name in str(task["kwargs"])]


def _monitor_pages(url: str) -> dict[str, str]:
    return {path: httpx.get(f"{url}{path}", timeout=10).text for path in ("/health", "/metrics", "/livez", "/readyz")}


def _reports(env: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the report in each of its forms, and a frame of `top`."""
    page = folder / "report.html"
    asked = {"text": ("report",), "json": ("report", "--json"), "page": ("report", "--html", str(page))}
    told = {name: payferry(*words, env=env, folder=folder) for name, words in asked.items()}
    told["top"] = payferry("top", "--once", env=env, folder=folder)
    assert {name: each.code for name, each in told.items()} == dict.fromkeys(told, 0)
    return {**{name: each.out + each.err for name, each in told.items()}, "html": page.read_text()}


def _held(url: str) -> list[str]:
    """Return every key of a Redis with all that it holds."""
    with redis.Redis.from_url(url) as client:
        return [f"{key!r} {_value(client, key)!r}" for key in client.scan_iter(count=1000)]


def _value(client: "redis.Redis", key: bytes) -> object:
    readers: dict[bytes, Callable[[], object]] = {
        b"list": lambda: client.lrange(key, 0, -1),
        b"hash": lambda: client.hgetall(key),
        b"string": lambda: client.get(key),
        b"stream": lambda: client.xrange(key),
    }
    return readers.get(client.type(key), lambda: client.dump(key))()


def _orders(worker: str) -> tuple[str, ...]:
    return (
        f"/api/worker/shutdown/{worker}",
        f"/api/worker/pool/restart/{worker}",
        f"/api/worker/pool/shrink/{worker}",
        "/api/task/revoke/1-1",
        "/api/task/async-apply/maintenance.sweep",
        "/api/task/send-task/maintenance.sweep",
    )


def _fail_in_an_unforeseen_way(harbour: Harbour, flower: FlowerPages) -> list[dict[str, Any]]:
    """Call a task with what PostgreSQL refuses with a quotation; return what Flower then says of the failure."""
    with Celery("caller", broker=harbour.redis_url, set_as_current=False) as caller:
        caller.send_task(REPLAY_JOB_TASK, kwargs={"job_id": f"{CARD} {MAIL}"}, kwargsrepr="{}", queue="dead-letters")

    def failed() -> list[dict[str, Any]]:
        return [task for task in flower.tasks() if task["state"] == "FAILURE"]

    eventually(failed, "Flower has heard of the failure")
    return failed()


WATCHED = {"sweep-minute", "replay", "archive", "forget"}
A_BEAT = """
import sentry_sdk
from celery.signals import beat_init
from workers.app import app
from workers.beat import PulsingScheduler
beat_init.send(sender=None)
beat = PulsingScheduler(app=app)
for name in beat.schedule:
    beat.apply_entry(beat.schedule[name])
sentry_sdk.flush(5)
"""


def _send_what_beat_sends_once_a_minute(env: dict[str, str], folder: Path) -> None:
    """Play a beat of which everything is due, on the real scheduler."""
    env = environment({**env, "PROCESS_NAME": "beat-twin"})
    subprocess.run([sys.executable, "-c", A_BEAT], env=env, cwd=folder, check=True, timeout=60, capture_output=True)


def _ended(check_ins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in check_ins if each["status"] != "in_progress"]


@pytest.mark.timeout(240)
def test_the_canaries_really_were_in_what_came_in_and_in_what_the_provider_said(story: Story) -> None:
    assert story.emails >= 2
    assert story.quoted >= 2


def test_no_canary_is_on_a_page_of_flower_or_in_an_answer_of_its_api(story: Story) -> None:
    assert len(story.pages) > MADE_UP
    assert {path: found for path, text in story.pages.items() if (found := canaries_in(text))} == {}


def test_flower_names_the_payment_and_how_it_went(story: Story) -> None:
    tasks = {task["uuid"]: task for task in story.tasks if task["name"] == "payments.process"}
    refused = next(task for task in tasks.values() if "pay-refused-1" in task["kwargs"])
    assert re.fullmatch(
        r"\{'inbox_id': \d+, 'provider': 'canonical', 'payment_id': 'pay-refused-1'\}", refused["kwargs"]
    )
    assert refused["result"] == "'buried: gossip_400'"
    page = story.pages[f"/task/{refused['uuid']}"]
    assert "canonical pay-refused-1, event " in page
    assert "buried: gossip_400" in page


def test_flower_shows_a_retry_with_its_reason(story: Story) -> None:
    retried = next(task for task in story.tasks if "pay-away-1" in str(task["kwargs"]))
    assert (retried["state"], retried["retries"], retried["result"]) == ("SUCCESS", 2, "'settled'")
    assert re.fullmatch(r"gossip_503, again in \d+\.\d s", retried["exception"])


def test_flower_shows_nothing_without_a_login_but_that_it_is_well(story: Story) -> None:
    opened = {path for path, status in story.unguarded.items() if status != 401}
    assert opened == {"/healthcheck"}
    assert story.pages["/healthcheck"] == "OK"


def test_flower_takes_no_orders_unless_it_is_told_to(story: Story) -> None:
    assert set(story.refused.values()) == {403}


def test_what_a_task_raises_quotes_nothing(story: Story) -> None:
    (failed,) = story.failed
    assert "DataRefused" in failed["exception"]
    assert "in work" in failed["traceback"]
    assert canaries_in(f"{failed['exception']} {failed['traceback']}") == []


def test_each_dead_letter_is_told_to_sentry_once(story: Story) -> None:
    buried = [event for event in story.sentry if event["tags"].get("alarm") in {"payment_buried", "record_buried"}]
    told = sum(1 + event["contexts"]["alarm"].get("left_out", 0) for event in buried)
    assert told == story.letters > 5
    for event in buried:
        assert event["level"] == "error"
        assert event["fingerprint"] == [event["tags"]["alarm"], event["contexts"]["alarm"]["fingerprint"]]


def test_sentry_hears_of_no_retry_and_no_decline(story: Story) -> None:
    events = Counter(line.get("event") for line in lines_of(story.log))
    assert events["payment_put_off"] >= 2
    assert sum(line.get("ending") == "declined" for line in lines_of(story.log)) > 0
    alarms = {event["tags"].get("alarm") for event in story.sentry}
    assert alarms == {"payment_buried", "record_buried", None}
    (unforeseen,) = [event for event in story.sentry if "alarm" not in event["tags"]]
    assert unforeseen["exception"]["values"][-1]["type"] == "DataRefused"
    assert unforeseen["exception"]["values"][-1]["mechanism"]["type"] == "celery"


def test_sentry_knows_the_release_and_the_place_and_nobodys_secrets(story: Story) -> None:
    assert {(event["release"], event["environment"]) for event in story.sentry} == {("payferry@test", "test")}
    assert {event["server_name"] for event in story.sentry} == {"bridge", "worker"}
    assert canaries_in(story.sent) == []
    frames = [
        frame
        for event in story.sentry
        for raised in event.get("exception", {}).get("values", [])
        for frame in raised.get("stacktrace", {}).get("frames", [])
    ]
    assert frames
    assert all(frame.keys() <= {"filename", "function", "module", "lineno", "in_app", "platform"} for frame in frames)


def test_each_task_of_beat_checks_in_at_its_beginning_and_at_its_end(story: Story) -> None:
    begun = {each["check_in_id"]: each for each in story.check_ins if each["status"] == "in_progress"}
    ended = {each["check_in_id"]: each for each in _ended(story.check_ins)}
    assert {each["monitor_slug"] for each in begun.values()} == WATCHED
    assert begun.keys() == ended.keys()
    assert {each["status"] for each in ended.values()} == {"ok"}
    schedules = {each["monitor_slug"]: each["monitor_config"]["schedule"] for each in begun.values()}
    assert schedules["sweep-minute"] == {"type": "interval", "value": 1, "unit": "minute"}
    assert schedules["archive"] == {"type": "interval", "value": 1, "unit": "hour"}


def test_no_canary_is_in_the_metrics_in_the_health_or_in_a_report(story: Story) -> None:
    assert "payferry_errors_total" in story.monitor["/metrics"]
    assert '"gossip_400"' in story.monitor["/metrics"], "what the provider called it may be told"
    assert "gossip_400" in story.reports["json"]
    shown = story.monitor | story.reports
    assert {name: found for name, text in shown.items() if (found := canaries_in(text))} == {}


def test_no_canary_is_left_in_redis(story: Story) -> None:
    assert len(story.redis) > 5
    assert [held for held in story.redis if canaries_in(held)] == []


def test_no_canary_is_in_the_log(story: Story) -> None:
    assert canaries_in(story.log) == []


def test_every_line_of_the_log_is_an_event_of_the_catalogue_with_its_fields_or_a_library_s(story: Story) -> None:
    lines = lines_of(story.log)
    ours = [line for line in lines if line["event"] in LOG_EVENTS]
    assert len({line["event"] for line in ours}) > 15
    undeclared = {
        (line["event"], field)
        for line in ours
        for field in line.keys() - {"event", "level", "timestamp", *EVERYWHERE}
        if field not in LOG_EVENTS[line["event"]].fields.split()
    }
    assert undeclared == set()
    assert {(line["event"], line["level"]) for line in ours} <= {
        (name, each.level) for name, each in LOG_EVENTS.items()
    }
    foreign = [line["event"] for line in lines if line["event"] not in LOG_EVENTS]
    assert [event for event in foreign if re.fullmatch(r"\w+", event)] == [], "no event of ours is untold of"


def lines_of(log: str) -> list[dict[str, Any]]:
    """Return the lines of the log that are JSON."""
    told = (line.partition("| ")[2] for line in log.splitlines())
    return [json.loads(line) for line in told if line.startswith("{")]
