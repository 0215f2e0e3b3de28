"""Signs of life through a real Valkey."""

import os
import socket
import time
from collections.abc import Iterator

import pytest
import redis

from config.settings import Settings
from payments.resilience.exchange import connect
from payments.resilience.scripts import script
from tests.integration.kafka import eventually
from workers.monitor.looks import FleetLook
from workers.monitor.part import Unread
from workers.pulse.book import PulseBook
from workers.pulse.heart import Heart, beating, pulse_of
from workers.pulse.sign import FORGOTTEN_SECONDS, Life, Sign

KEY = "payferry:pulses"
SIGN = Sign(name="worker@box", role="worker", host="box", pid=1, version="1", started_at=0.0)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as opened:
        yield opened


@pytest.fixture
def book(client: redis.Redis) -> PulseBook:
    return PulseBook(client)


@pytest.fixture
def settings(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PAYFERRY_STATE_REDIS_URL", redis_url)
    monkeypatch.setenv("PROCESS_NAME", "relay.1")
    return Settings()


def write_ago(client: redis.Redis, sign: Sign, seconds: float) -> None:
    """File a sign as if it had been filed then."""
    client.hset(KEY, sign.key, f"{int((time.time() - seconds) * 1_000_000)} {_text(sign)}")


def _text(sign: Sign) -> str:
    return f'{{"name":"{sign.name}","role":"{sign.role}","host":"box","pid":1,"version":"1","started_at":0.0}}'


def test_what_is_written_is_read_with_the_age_that_redis_gives_it(book: PulseBook) -> None:
    book.write(SIGN)
    [seen] = book.read()
    assert seen.sign == SIGN
    assert 0.0 <= seen.seen_seconds < 5.0


def test_a_process_has_one_entry_however_often_it_gives_a_sign(book: PulseBook, client: redis.Redis) -> None:
    book.write(SIGN)
    book.write(SIGN)
    assert client.hlen(KEY) == 1
    book.remove(SIGN.key)
    assert book.read() == ()


def test_processes_of_the_same_name_and_of_other_roles_are_apart(book: PulseBook) -> None:
    roles = ("beat", "relay", "worker")
    for role in roles:
        book.write(Sign(name="payferry@box", role=role, host="box", pid=1, version="1", started_at=0.0))
    assert tuple(each.sign.role for each in book.read()) == roles


def test_who_is_silent_is_told_and_who_was_for_ten_minutes_is_forgotten(book: PulseBook, client: redis.Redis) -> None:
    write_ago(client, SIGN, 60.0)
    gone = Sign(name="worker@gone", role="worker", host="gone", pid=1, version="1", started_at=0.0)
    write_ago(client, gone, FORGOTTEN_SECONDS + 5.0)
    [seen] = book.read()
    assert (seen.sign.name, seen.life) == ("worker@box", Life.SILENT)
    assert client.hlen(KEY) == 1


@pytest.mark.parametrize("told", ["nonsense", "17", '17 {"name": 3}'])
def test_a_sign_that_nobody_can_read_hides_no_other(book: PulseBook, client: redis.Redis, told: str) -> None:
    book.write(SIGN)
    client.hset(KEY, "worker:odd", told)
    assert [each.sign for each in book.read()] == [SIGN]


def test_a_clock_that_goes_back_makes_no_negative_age(client: redis.Redis) -> None:
    write_ago(client, SIGN, -30.0)
    read = client.register_script(script("pulses").text)
    assert read(keys=[KEY], args=[1])[0] == 0


def test_a_process_gives_signs_while_it_lives_and_takes_its_entry_back(book: PulseBook, settings: Settings) -> None:
    with beating(settings, "relay") as pulse:
        eventually(book.read, "a sign")
        [seen] = book.read()
        assert (seen.sign.name, seen.sign.role) == (f"relay.1@{socket.gethostname()}", "relay")
        assert seen.sign.pid == os.getpid()
        assert pulse.key == seen.sign.key
    assert book.read() == ()


def test_signs_go_on_after_redis_was_away(book: PulseBook, settings: Settings, client: redis.Redis) -> None:
    pulse = pulse_of(settings, "relay")
    heart = Heart(pulse, book, every_seconds=0.05)
    client.set(KEY, "no hash, so that every sign fails")
    heart.start(settings)
    try:
        client.delete(KEY)
        eventually(book.read, "a sign after the faults")
    finally:
        heart.stop()


def test_a_role_is_absent_since_it_was_last_seen(book: PulseBook) -> None:
    now = 100.0
    look = FleetLook(book, ("beat", "worker"), lambda: now)
    book.write(SIGN)
    assert look().absent == {"beat": 0.0}
    now += 7.0
    book.remove(SIGN.key)
    assert look().absent == {"beat": 7.0, "worker": 7.0}
    book.write(SIGN)
    assert look().absent == {"beat": 7.0}


def test_once_redis_is_back_processes_have_time_for_a_sign(book: PulseBook, client: redis.Redis) -> None:
    now = 100.0
    look = FleetLook(book, ("worker",), lambda: now)
    client.set(KEY, "no hash")
    with pytest.raises(redis.RedisError):
        look()
    client.delete(KEY)
    with pytest.raises(Unread, match="only just back"):
        look()
    now += 5.0
    assert look().absent == {"worker": 0.0}
