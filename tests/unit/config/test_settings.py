from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from annotated_types import Le
from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from sentry_sdk.utils import Dsn

from config import settings
from config.celery import celery_options
from config.settings import (
    GROUPS,
    BridgeSettings,
    DatabaseSettings,
    GatewaySettings,
    Group,
    KafkaSettings,
    RedisSettings,
    Settings,
    SettingsError,
    WorkSettings,
)

FIELDS = [(group, name, field) for group in GROUPS for name, field in group.model_fields.items()]
SECRET = "hunter2hunter2hunter2"  # noqa: S105 - of nobody


def names_of(field: FieldInfo) -> list[str]:
    assert isinstance(field.validation_alias, AliasChoices)
    return [str(choice) for choice in field.validation_alias.choices]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no .env is
    for _group, _name, field in FIELDS:
        for name in names_of(field):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("group", "name", "field"), FIELDS)
def test_every_setting_is_documented(group: type[Group], name: str, field: FieldInfo) -> None:
    assert field.description, f"{group.__name__}.{name}"
    assert field.description.endswith(".")


def test_every_variable_sets_one_thing_only() -> None:
    counted = Counter(name for _group, _name, field in FIELDS for name in names_of(field))
    assert [name for name, times in counted.items() if times > 1] == []


def test_every_group_is_in_the_catalogue_and_in_the_whole() -> None:
    defined = {each for each in vars(settings).values() if isinstance(each, type) and issubclass(each, Group)}
    assert set(GROUPS) == defined - {Group}
    assert {type(group) for group in vars(Settings()).values()} == set(GROUPS)


DURATIONS = [field for _group, name, field in FIELDS if name.endswith(("_seconds", "_ms", "_days"))]
NUMBERS = [names_of(field)[0] for _group, _name, field in FIELDS if field.annotation is float]


@pytest.mark.parametrize("field", DURATIONS, ids=[names_of(field)[0] for field in DURATIONS])
def test_every_duration_has_a_most_so_that_no_clock_and_no_database_overflows(field: FieldInfo) -> None:
    assert any(isinstance(bound, Le) for bound in field.metadata)


@pytest.mark.parametrize("told", ["inf", "nan"])
@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_is_infinite_or_none_at_all(monkeypatch: pytest.MonkeyPatch, name: str, told: str) -> None:
    monkeypatch.setenv(name, told)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_everything_has_a_default_that_is_allowed() -> None:
    for group in GROUPS:
        group()


def sample(field: FieldInfo) -> str:
    """Return a value other than the default, as one would write it in the environment."""
    literals = [each for each in get_args(field.annotation) if isinstance(each, str)]
    if literals:
        return next(each for each in literals if each != field.default)
    if field.annotation is bool:
        return str(not field.default)
    name = names_of(field)[0]
    if isinstance(field.default, int | float) and name not in VALUES:
        return str(field.default + 1)
    return VALUES.get(name, "something")


VALUES = {
    "CELERY_BROKER_URL": "redis://elsewhere/0",
    "DATABASE_URL": "postgresql://elsewhere/ledger",
    "BRIDGE_POISON_SHARE": "0.5",
    "DLQ_REPLAY_SCHEDULE": "*/5 * * * *",
    "API_TOKENS": f"shop:read:{SECRET}",
    "REQUIRED_ROLES": "bridge,worker",
    "FLOWER_BASIC_AUTH": f"jo:{SECRET}",
    "PAYFERRY_API": "elsewhere:50051",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318",
    "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={SECRET}",
    "TRACES_SAMPLE_RATIO": "0.5",
}
NOT_ALONE = {
    *("sasl_mechanism", "sasl_username", "sasl_password", "soft_time_limit_seconds", "time_limit_seconds"),
    *("tls_cert_file", "tls_key_file", "tls_client_ca_file", "ca_file", "cert_file", "key_file"),
}
SINGLE = [case for case in FIELDS if case[1] not in NOT_ALONE]


@pytest.mark.parametrize(("group", "name", "field"), SINGLE)
def test_every_documented_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], name: str, field: FieldInfo
) -> None:
    for variable in names_of(field):
        with monkeypatch.context() as only:
            only.setenv(variable, sample(field))
            assert getattr(group(), name) != field.default, variable


def test_a_role_that_no_process_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRED_ROLES", "bridge, wroker")
    with pytest.raises(ValidationError, match=r"must be of bridge, worker, beat, relay, api, not wroker"):
        Settings()


def test_kafka_brokers_is_another_name_of_the_bootstrap_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", "a:9092,b:9092")
    assert KafkaSettings().bootstrap_servers == "a:9092,b:9092"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "c:9092")
    assert KafkaSettings().bootstrap_servers == "c:9092"


def test_the_celery_broker_url_goes_before_the_redis_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://one/0")
    assert RedisSettings().url == "redis://one/0"
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://two/0")
    assert RedisSettings().url == "redis://two/0"
    monkeypatch.setenv("CELERY_BROKER_URL", "")
    assert RedisSettings().url == "redis://one/0"


def test_the_broker_url_reaches_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://one/3")
    assert celery_options(Settings())["broker_url"] == "redis://one/3"


def test_the_dead_letters_have_a_topic_beside_the_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_TOPIC", "orders")
    assert KafkaSettings().dead_letter_topic == "orders.dlq"


def test_an_env_file_is_read_and_the_environment_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("KAFKA_TOPIC=from_file\nKAFKA_GROUP_ID=group_of_file\n")
    monkeypatch.setenv("KAFKA_TOPIC", "from_environment")
    told = KafkaSettings()
    assert (told.topic, told.group_id) == ("from_environment", "group_of_file")


@pytest.mark.parametrize(
    ("variable", "value", "other"),
    [
        ("TASK_SOFT_TIME_LIMIT_SECONDS", "9", "TASK_TIME_LIMIT_SECONDS"),
        ("TASK_TIME_LIMIT_SECONDS", "10", "LEASE_SECONDS"),
        ("LEASE_SECONDS", "600", "VISIBILITY_TIMEOUT_SECONDS"),
        ("BACKOFF_CAP_SECONDS", "600", "VISIBILITY_TIMEOUT_SECONDS"),
    ],
)
def test_limits_out_of_order_are_refused_by_the_names_of_both(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, other: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=f"{variable}.* must be below {other}"):
        WorkSettings()


def test_the_longest_wait_for_another_event_must_be_below_the_visibility_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OUT_OF_ORDER_WAIT_SECONDS", "700")
    with pytest.raises(ValidationError, match="OUT_OF_ORDER_WAIT_SECONDS"):
        WorkSettings()


def test_water_marks_out_of_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_LOW_WATER_MARK", "50000")
    with pytest.raises(ValidationError, match="BRIDGE_LOW_WATER_MARK must be below BRIDGE_HIGH_WATER_MARK"):
        BridgeSettings()


def test_half_a_login_is_refused_and_the_missing_part_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "PLAIN")
    with pytest.raises(ValidationError, match="KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"):
        KafkaSettings()


@pytest.mark.parametrize(
    ("variable", "group"), [("LEASE_SECONDS", WorkSettings), ("DATABASE_POOL_SIZE", DatabaseSettings)]
)
def test_a_value_that_is_no_number_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, group: type[Group]
) -> None:
    monkeypatch.setenv(variable, "plenty")
    with pytest.raises(ValidationError, match=variable):
        group()


def test_passwords_and_keys_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [case for case in FIELDS if SecretStr in {case[2].annotation, *get_args(case[2].annotation)}]
    assert len(secrets) >= 5
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "payferry")
    for group, _name, field in secrets:
        name = names_of(field)[0]
        monkeypatch.setenv(name, VALUES.get(name, SECRET))
        assert SECRET not in f"{group()!r} {group()}"


@pytest.mark.parametrize(
    ("group", "variable", "scheme"),
    [
        (DatabaseSettings, "DATABASE_URL", "postgresql"),
        (RedisSettings, "REDIS_URL", "redis"),
        (RedisSettings, "CELERY_BROKER_URL", "rediss"),
    ],
)
def test_the_password_in_a_url_does_not_show(
    monkeypatch: pytest.MonkeyPatch, group: type[Group], variable: str, scheme: str
) -> None:
    monkeypatch.setenv(variable, f"{scheme}://user:{SECRET}@host:1/0")
    assert SECRET not in repr(group())
    monkeypatch.setenv(variable, f"mysql://user:{SECRET}@host:1/0")
    with pytest.raises(ValidationError, match=f"must begin with .*{scheme}://") as refused:
        group()
    assert SECRET not in str(refused.value)


def test_a_login_without_its_mechanism_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "payferry")
    with pytest.raises(ValidationError, match="need KAFKA_SASL_MECHANISM"):
        KafkaSettings()


def test_two_calls_and_a_statement_must_fit_into_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as only:
        only.setenv("GATEWAY_TIMEOUT_SECONDS", "4")
        with pytest.raises(SettingsError, match="GATEWAY_TIMEOUT_SECONDS"):
            Settings()
    monkeypatch.setenv("DATABASE_STATEMENT_TIMEOUT_MS", "8000")
    with pytest.raises(SettingsError, match="DATABASE_STATEMENT_TIMEOUT_MS"):
        Settings()


@pytest.mark.parametrize(
    "dsn",
    [
        f"https://{SECRET}@sentry.example/7",
        f"https://{SECRET}:{SECRET}@o1.ingest.sentry.example/7",
        f"http://{SECRET}@127.0.0.1:9000/sub/path/7",
        SECRET,
        f"redis://{SECRET}@sentry.example/7",
        f"https://{SECRET}@/7",
        "https://sentry.example/7",
        f"https://{SECRET}@sentry.example",
        f"https://{SECRET}@sentry.example/7/",
        f"https://{SECRET}@sentry.example/{SECRET}",
        f"https://{SECRET}@sentry.example:port/7",
        f"https://{SECRET}@[::1/7",
    ],
)
def test_a_dsn_is_refused_where_sentry_s_library_would_refuse_it(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("SENTRY_DSN", dsn)
    try:
        Dsn(dsn)
    except ValueError:
        with pytest.raises(SettingsError, match="SENTRY_DSN must be") as refused:
            Settings()
        assert SECRET not in str(refused.value)
    else:
        Settings()


def test_an_error_does_not_quote_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", SECRET)
    with pytest.raises(ValidationError) as refused:
        KafkaSettings()
    assert SECRET not in str(refused.value)


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError):
        GatewaySettings().sandbox_url = "http://elsewhere"
