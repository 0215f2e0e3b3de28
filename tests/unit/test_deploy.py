"""docker-compose.yml and the Dockerfile against the project. No engine is asked: what is compared is the text."""

import re
from pathlib import Path

import pytest

from config.catalogue import environment_names
from config.settings import WorkSettings
from tests.plain_yaml import Reader, Yaml, read_yaml
from workers.supervisor.procfile import read_procfile

_ROOT = Path(__file__).parents[2]
_OF_COMPOSE = {"POSTGRES_PASSWORD", "PROMETHEUS_PORT", "GRAFANA_PORT"}  # of what compose starts beside us

_COMPOSE = read_yaml(_ROOT / "docker-compose.yml")
_SERVICES: dict[str, dict[str, Yaml]] = _COMPOSE["services"]
_OURS = {name: service for name, service in _SERVICES.items() if service["image"] == "payferry"}
_PROCFILE = {spec.name: spec.command for spec in read_procfile((_ROOT / "Procfile").read_text())}
_DOCKERFILE = re.sub(r"\\\n", " ", (_ROOT / "Dockerfile").read_text()).splitlines()


def _command(service: dict[str, Yaml]) -> list[str]:
    """Return the words of a command, without the shell that fills in its variables."""
    told = service["command"]
    words = told[-1].removeprefix("exec ") if isinstance(told, list) else told
    return str(words).replace("$$", "$").split()


def _seconds(duration: str) -> int:
    assert duration.endswith("s")
    return int(duration[:-1])


@pytest.mark.parametrize("name", _PROCFILE)
def test_every_process_of_the_procfile_is_a_service_with_the_same_command(name: str) -> None:
    assert _command(_OURS[name]) == list(_PROCFILE[name])


def test_every_service_that_lasts_has_a_health_check() -> None:
    lasting = {name for name, service in _SERVICES.items() if service["restart"] != "no"}
    assert lasting >= _PROCFILE.keys()
    assert {name for name in lasting if "healthcheck" not in _SERVICES[name]} == set()


def test_whoever_waits_for_a_service_waits_until_it_is_healthy_or_has_done_its_work() -> None:
    for name, service in _SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            once = _SERVICES[needed]["restart"] == "no"
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert how["condition"] == wanted, f"{name} waits for {needed}"


@pytest.mark.parametrize("name", ["worker", "bridge"])
def test_there_can_be_several_of_what_does_the_work(name: str) -> None:
    assert not {"container_name", "hostname", "ports", "volumes"} & _OURS[name].keys()
    assert "KAFKA_GROUP_INSTANCE_ID" not in _OURS[name]["environment"]


def test_every_worker_has_a_name_of_its_own() -> None:
    words = _command(_OURS["worker"])
    assert words[words.index("--hostname") + 1].endswith("@%h")


def test_what_people_and_clients_open_can_be_reached_from_this_machine_and_nothing_from_outside() -> None:
    published = {name: service["ports"] for name, service in _SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "flower", "monitor", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_no_container_hands_out_a_token_of_ours() -> None:
    # the API makes a random one up where none is set; one in this file would be everybody's
    assert not {"API_TOKENS", "API_TOKENS_FILE"} & _OURS["api"]["environment"].keys()


def test_no_container_turns_the_login_of_flower_off() -> None:
    # Flower takes a random password where none is set; an empty variable of its own would reach it past our settings
    assert "FLOWER_BASIC_AUTH" not in _OURS["flower"]["environment"]


def test_every_variable_that_is_set_is_a_setting() -> None:
    named = {name for service in _OURS.values() for name in service["environment"]}
    assert named - environment_names() == set()


def test_every_variable_that_is_read_from_the_environment_is_a_setting() -> None:
    text = (_ROOT / "docker-compose.yml").read_text()
    named = set(re.findall(r"(?<!\$)\$\{?(\w+)", text))
    assert named - environment_names() == _OF_COMPOSE


def test_a_container_may_take_longer_to_stop_than_a_task_may_take() -> None:
    limit_seconds = WorkSettings.model_fields["time_limit_seconds"].default
    assert _seconds(_OURS["worker"]["stop_grace_period"]) > limit_seconds


def test_our_containers_may_do_no_more_than_they_need() -> None:
    for service in _OURS.values():
        assert service["read_only"] == "true"
        assert service["cap_drop"] == ["ALL"]
    assert [line for line in _DOCKERFILE if line.startswith(("USER", "FROM"))][-1] == "USER payferry"


def test_what_a_process_writes_is_a_place_that_can_be_written() -> None:
    for name in _PROCFILE:
        assert _OURS[name]["environment"]["PAYFERRY_READY_DIR"] in _OURS[name]["tmpfs"]


def test_the_sandbox_plays_the_providers_until_it_is_turned_off() -> None:
    assert _OURS["worker"]["environment"]["SANDBOX_URL"] == "${SANDBOX_URL-http://sandbox:8080}"


def test_the_queue_forgets_nothing_and_evicts_nothing() -> None:
    words = _SERVICES["valkey"]["command"].split()
    assert words[words.index("--appendonly") + 1] == "yes"
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


def test_our_image_is_built_once() -> None:
    assert [name for name, service in _SERVICES.items() if "build" in service] == ["migrate"]


def test_every_volume_that_is_used_is_declared() -> None:
    assert {source for source in _sources() if source[0] != "."} == _COMPOSE["volumes"].keys()


def test_what_a_container_is_given_of_this_folder_is_there_and_it_may_only_read_it() -> None:
    given = {source for source in _sources() if source[0] == "."}
    assert given == {"./deploy/prometheus", "./deploy/grafana/provisioning", "./deploy/grafana/dashboards"}
    assert all((_ROOT / source).is_dir() for source in given)
    mounts = [mount for service in _SERVICES.values() for mount in service.get("volumes", []) if mount[0] == "."]
    assert all(mount.endswith(":ro") for mount in mounts)


def test_prometheus_asks_every_process_of_ours_that_lasts_where_it_answers() -> None:
    [of_the_fleet, of_each] = read_yaml(_ROOT / "deploy" / "prometheus" / "prometheus.yml")["scrape_configs"]
    assert of_the_fleet["static_configs"] == [{"targets": ["monitor:9464"]}]
    [asked] = of_each["dns_sd_configs"]
    assert set(asked["names"]) == {"bridge", "worker", "beat", "relay", "api"} <= _OURS.keys()
    for name in asked["names"]:
        assert _OURS[name]["environment"]["PROBE_PORT"] == asked["port"]
        assert _OURS[name]["environment"]["PROBE_ADDRESS"] == "0.0.0.0"  # noqa: S104 - in the containers' network


def test_grafana_has_no_user_and_shows_what_it_is_given() -> None:
    environment = _SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    targets = {mount.split(":")[1] for mount in _SERVICES["grafana"]["volumes"]}
    [provider] = read_yaml(_ROOT / "deploy/grafana/provisioning/dashboards/payferry.yml")["providers"]
    assert provider["options"]["path"] in targets
    [source] = read_yaml(_ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"


def _sources() -> set[str]:
    return {mount.partition(":")[0] for service in _SERVICES.values() for mount in service.get("volumes", [])}


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    ignored_but = {line[1:] for line in (_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        path for line in _DOCKERFILE if line.startswith("COPY ") and "--from" not in line for path in line.split()[1:-1]
    ]
    assert copied
    for path in copied:
        assert (_ROOT / path).exists()
        assert path in ignored_but or f"{path.partition('/')[0]}/" in ignored_but


def test_the_image_takes_nothing_that_is_not_pinned() -> None:
    installs = [step for line in _DOCKERFILE for step in line.split("&&") if " pip " in step or "/pip " in step]
    assert installs
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)


def test_the_reader_refuses_what_it_does_not_know() -> None:
    with pytest.raises(AssertionError):
        Reader("services:\n  a: 1\n b: 2\n").read()
