"""What is told wins in its order, key by key, and says who told it."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config import policies as subject
from config.catalogue import environment_names
from config.policies import Leaf, Told, told_policies
from config.settings import POLICY_PREFIX, RedisSettings, Settings, SettingsError, policy_variables

RETRIES = ("failures", "transient", "retries")
UNKNOWN_RETRIES = ("failures", "unknown", "retries")
VARIABLE = "PAYFERRY_POLICY__FAILURES__TRANSIENT__RETRIES"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no .env is
    for name in [*os.environ]:
        if name in environment_names() or name.upper().startswith(POLICY_PREFIX):
            monkeypatch.delenv(name)


class Operator:
    """Writes a file of policies and names it."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self._monkeypatch = monkeypatch

    def __call__(self, text: str | bytes) -> None:
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        self._monkeypatch.setenv("PAYFERRY_POLICIES", str(self.file))


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(tmp_path / "own.toml", monkeypatch)


def told() -> Told:
    return told_policies(Settings())


def test_our_own_file_is_what_is_told_where_nobody_else_says_anything() -> None:
    assert told()[RETRIES] == Leaf(3, "default")
    assert {leaf.source for leaf in told().values()} == {"default"}


def test_an_operators_file_is_laid_over_ours_key_by_key(operator: Operator) -> None:
    before = told()
    operator("[failures.transient]\nretries = 7")
    assert told() == {**before, RETRIES: Leaf(7, str(operator.file))}


def test_the_environment_goes_before_the_operators_file(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator("[failures.transient]\nretries = 7\nfactor = 3.0")
    monkeypatch.setenv(VARIABLE, "8")
    assert told()[RETRIES] == Leaf("8", VARIABLE)
    assert told()["failures", "transient", "factor"] == Leaf(3.0, str(operator.file))


def test_names_of_variables_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("payferry_policy__Failures__rate_limited__base_seconds", "2")
    variable = "PAYFERRY_POLICY__FAILURES__RATE_LIMITED__BASE_SECONDS"
    assert told()["failures", "rate_limited", "base_seconds"] == Leaf("2", variable)


def test_variables_stand_in_an_env_file_too_and_the_environment_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "PAYFERRY_POLICY__BREAKERS__STRIPE__OPEN_SECONDS"
    (tmp_path / ".env").write_text(f"{VARIABLE}=4\n{other}=10\nKAFKA_TOPIC=elsewhere\n")
    monkeypatch.setenv(VARIABLE, "5")
    assert policy_variables() == {VARIABLE: "5", other: "10"}


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert told()[RETRIES].source == "default"


@pytest.mark.parametrize("name", ["PAYFERRY_POLICY__", "PAYFERRY_POLICY__FAILURES____RETRIES"])
def test_a_variable_that_leads_nowhere_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"^{name}: .*PAYFERRY_POLICY__FAILURES__TRANSIENT__RETRIES$"):
        told()


def test_the_older_variables_stand_for_keys_of_the_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    before = told()
    for name, value in {"PAYMENT_MAX_RETRIES": "5", "BACKOFF_BASE_SECONDS": "0.5", "BACKOFF_CAP_SECONDS": "9"}.items():
        monkeypatch.setenv(name, value)
    changed = {path: leaf for path, leaf in told().items() if before.get(path) != leaf}
    assert changed == {
        RETRIES: Leaf(5, "PAYMENT_MAX_RETRIES"),
        ("failures", "outcome_unknown", "retries"): Leaf(5, "PAYMENT_MAX_RETRIES"),
        ("failures", "transient", "base_seconds"): Leaf(0.5, "BACKOFF_BASE_SECONDS"),
        ("failures", "unknown", "base_seconds"): Leaf(0.5, "BACKOFF_BASE_SECONDS"),
        ("failures", "transient", "cap_seconds"): Leaf(9.0, "BACKOFF_CAP_SECONDS"),
        ("failures", "unknown", "cap_seconds"): Leaf(9.0, "BACKOFF_CAP_SECONDS"),
    }


def test_fewer_retries_hold_for_what_nobody_foresaw_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_MAX_RETRIES", "0")
    assert told()[UNKNOWN_RETRIES] == Leaf(0, "PAYMENT_MAX_RETRIES")


def test_an_older_variable_at_its_default_is_still_somebodys_word(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator("[failures.transient]\nretries = 7")
    monkeypatch.setenv("PAYMENT_MAX_RETRIES", "3")
    assert told()[RETRIES] == Leaf(3, "PAYMENT_MAX_RETRIES")


def test_the_name_of_the_very_key_goes_before_the_older_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_MAX_RETRIES", "5")
    monkeypatch.setenv(VARIABLE, "8")
    assert told()[RETRIES] == Leaf("8", VARIABLE)


def test_a_section_without_a_key_is_told_too_so_that_its_name_can_be_checked(operator: Operator) -> None:
    operator("[failures.transiet]")
    assert told()["failures", "transiet"] == Leaf({}, str(operator.file))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"[failures.transient]\nretries 7", r"own\.toml is not TOML: .*line 2"),
        (b"retries = '\xff'", r"own\.toml is not UTF-8 \(at byte 11\)"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named_with_the_place(operator: Operator, text: bytes, wrong: str) -> None:
    operator(text)
    with pytest.raises(SettingsError, match=f"^PAYFERRY_POLICIES: .*{wrong}"):
        told()


def test_a_file_that_is_not_there_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYFERRY_POLICIES", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"^PAYFERRY_POLICIES: nowhere\.toml cannot be read: No such file"):
        told()


def test_our_own_file_lies_beside_the_code_that_reads_it() -> None:
    assert tomllib.loads(Path(subject.__file__).with_name("policies.toml").read_text())["failures"]


NAMES = st.sampled_from(["retries", "factor", "jitter"])
LAYER = st.dictionaries(NAMES, st.integers(0, 9))


@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of_file=LAYER, of_environment=LAYER)
def test_whoever_comes_last_wins_and_nobody_else_is_lost(
    operator: Operator, of_file: dict[str, int], of_environment: dict[str, int]
) -> None:
    with pytest.MonkeyPatch.context() as only:
        operator("[failures.conflict]\n" + "\n".join(f"{key} = {value}" for key, value in of_file.items()))
        for key, value in of_environment.items():
            only.setenv(f"PAYFERRY_POLICY__FAILURES__CONFLICT__{key.upper()}", str(value))
        found = {path[-1]: leaf.value for path, leaf in told().items() if path[:2] == ("failures", "conflict")}
    wanted = of_file | {key: str(value) for key, value in of_environment.items()}
    assert {key: value for key, value in found.items() if key != "conflict"} == wanted


@pytest.mark.parametrize(
    ("broker", "state"),
    [
        ("redis://one:6379/3", "redis://one:6379/4"),
        ("redis://one", "redis://one/1"),
        ("redis://one/", "redis://one/1"),
        ("rediss://user:word@one:1/0?ssl_cert_reqs=required", "rediss://user:word@one:1/1?ssl_cert_reqs=required"),
        ("sentinel://one:26379/0;sentinel://two:26379/0", ""),
        ("redis://one/name", ""),
        ("", ""),
    ],
)
def test_the_state_is_kept_in_the_brokers_next_database(
    monkeypatch: pytest.MonkeyPatch, broker: str, state: str
) -> None:
    monkeypatch.setenv("REDIS_URL", broker)
    assert RedisSettings().state_url == state


def test_a_redis_that_is_named_for_the_state_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "sentinel://one:26379/0")
    monkeypatch.setenv("PAYFERRY_STATE_REDIS_URL", "rediss://:hunter2@two/0")
    told_redis = Settings().redis
    assert told_redis.state_url == "rediss://:hunter2@two/0"
    assert "hunter2" not in repr(told_redis)


def test_the_state_can_be_kept_in_redis_alone_and_a_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYFERRY_STATE_REDIS_URL", "sentinel://:hunter2@one/0")
    with pytest.raises(SettingsError, match=r"^PAYFERRY_STATE_REDIS_URL must begin with redis:// or rediss://$"):
        Settings()


def test_a_payment_waits_for_an_open_breaker_until_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().policies.breaker_open_action == "wait"
    monkeypatch.setenv("BREAKER_OPEN_ACTION", "dead-letter")
    assert Settings().policies.breaker_open_action == "dead-letter"
