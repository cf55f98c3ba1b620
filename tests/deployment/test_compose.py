"""Check docker-compose.yml without an engine: all references exist, and the services fit together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import OPTIONS, Settings
from aggregator.container import Container
from aggregator.services.queues import former_queues
from aggregator.system.heartbeat import OLDEST, Heartbeat
from tests.deployment.compose import FOLDER, ROOT, SINGLE, Service, document, services
from worker import create_app

if TYPE_CHECKING:
    from pathlib import Path

SERVICES = services()
OURS = {name: service for name, service in SERVICES.items() if service.ours}
SERVERS = ("postgres", "redis", "rabbitmq")
MONITORING = ("prometheus", "grafana")
MARGIN = 10.0  # seconds that a worker takes beyond its soft shutdown: seen were three


def _settings(service: Service, folder: Path) -> Settings:
    """Load the settings from a service's variables, with files for its secrets."""
    contents = {
        "database_url": "postgresql://aggregator:word@postgres/aggregator",
        "secret_key": "k" * 43,
        "broker_url": "redis://:word@redis:6379/0",
        **dict.fromkeys(("x_bearer_token", "x_client_secret", "rate_store", "replica_url", "direct_database_url"), ""),
        **dict.fromkeys(("webhook_url", "webhook_secret", "mail_server", "youtube_api_key", "oidc_client_secret"), ""),
    }
    environ = dict(service.environment)
    for name, value in environ.items():
        if value.startswith(FOLDER):
            secret = value.removeprefix(FOLDER)
            (folder / secret).write_text(contents[secret], encoding="utf-8")
            environ[name] = str(folder / secret)
    return Settings.from_environment(environ)


def test_the_stack_is_complete() -> None:
    ours = {"migrate", "worker-feeds", "worker-api", "scheduler", "listener", "reader"}
    assert set(OURS) == ours
    assert set(SERVICES) - set(OURS) == {*SERVERS, *MONITORING}
    assert all(SERVICES[name].options["profiles"] == ["monitoring"] for name in MONITORING)
    assert SERVICES["rabbitmq"].options["profiles"] == ["rabbitmq"]


def test_one_service_builds_the_image_and_all_others_wait_for_it() -> None:
    # Two that build one name get into each other's way on newer engines.
    assert [name for name, service in SERVICES.items() if "build" in service.options] == ["migrate"]
    waiting = {name for name, service in OURS.items() if "migrate" in service.options["depends_on"]}
    assert waiting == set(OURS) - {"migrate"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_a_service_waits_for_can_come_true(service: Service) -> None:
    for name, how in service.options.get("depends_on", {}).items():
        awaited = SERVICES[name].options
        if how == {"condition": "service_healthy"}:
            assert "healthcheck" in awaited
        else:
            assert how == {"condition": "service_completed_successfully"}
            # A service that restarts forever never reports its failure to those that wait for it.
            assert re.fullmatch(r"on-failure:\d+", awaited["restart"])
            assert awaited["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_waits_for_the_servers_that_it_uses(service: Service) -> None:
    awaited = set(service.options.get("depends_on", ()))
    if service.queues or service.name == "scheduler":
        assert awaited == {"migrate", "redis"}
    if service.name == "migrate":
        assert awaited == {"postgres"}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_lasting_service_is_watched_and_started_again(service: Service) -> None:
    if service.name == "migrate":
        return
    assert service.options["restart"] == "unless-stopped"
    check = service.options["healthcheck"]
    assert set(check) <= {"test", "interval", "timeout", "retries", "start_period"}  # what old engines know as well
    if service.ours and "aggregator" in service.health:
        assert check["interval"] == "60s"  # loading all of our code costs a second of processor time
    assert service.options["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


def test_volumes_are_declared_and_used() -> None:
    used = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.options.get("volumes", ())]
    assert sorted(name for name in used if not name.startswith("./")) == sorted(document()["volumes"])
    assert [name for name in used if name.startswith("./") and not (ROOT / name).exists()] == []


def test_secrets_are_declared_given_and_read() -> None:
    declared = document()["secrets"]
    assert all(how == {"file": f"./secrets/{name}"} for name, how in declared.items())
    for service in SERVICES.values():
        given = set(service.options.get("secrets", ()))
        texts = [*service.environment.values(), *service.command]
        read = {value.removeprefix(FOLDER) for value in texts if value.startswith(FOLDER)}
        assert given == read, service.name
    assert {name for service in SERVICES.values() for name in service.options.get("secrets", ())} == set(declared)


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_settings_accept_a_service_s_variables(service: Service, tmp_path: Path) -> None:
    settings = _settings(service, tmp_path)
    assert not settings.embedded_database
    assert not settings.embedded_broker
    assert settings.kinds["x_bearer_token"] is None  # its file is empty: no X
    assert str(settings.data_dir) in service.options["tmpfs"]
    assert service.environment["REMAP_SIGTERM"] == "SIGQUIT"


def test_every_setting_reaches_the_services() -> None:
    given = {name.removesuffix("_FILE") for service in OURS.values() for name in service.environment}
    assert {option.variable for option in OPTIONS.values()} <= given


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_no_service_can_use_up_the_machine(service: Service) -> None:
    assert 128 << 20 <= service.memory <= 2 << 30
    assert 128 <= service.options["pids_limit"] <= 512


@pytest.mark.parametrize("name", ["worker-feeds", "worker-api"])
def test_the_processes_of_a_worker_are_replaced_before_its_limit(name: str, tmp_path: Path) -> None:
    words = OURS[name].command
    app = create_app(Container(_settings(OURS[name], tmp_path)))
    processes = int(words[words.index("--concurrency") + 1])
    assert OURS[name].memory > 1000 * processes * app.conf.worker_max_memory_per_child


def test_a_single_container_has_what_the_stack_s_services_have() -> None:
    (single,) = services(SINGLE).values()
    reader = OURS["reader"].options
    alike = ("image", "restart", "read_only", "cap_drop", "security_opt", "pids_limit", "logging", "ports")
    assert {name: single.options[name] for name in alike} == {name: reader[name] for name in alike}
    assert single.memory >= OURS["worker-feeds"].memory
    (subnet,) = (pool["subnet"] for pool in document(SINGLE)["networks"]["default"]["ipam"]["config"])
    assert single.environment["AGGREGATOR_TRUSTED_PROXIES"] == subnet


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_our_services_can_do_little(service: Service) -> None:
    options = service.options
    assert options["read_only"] is True
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert not {"user", "privileged", "cap_add", "network_mode", "pid", "devices", "volumes"} & set(options)


@pytest.mark.parametrize("name", SERVERS)
def test_the_servers_have_no_ports(name: str) -> None:
    # The images start as root, and need capabilities to change the user.
    assert SERVICES[name].options["user"] == ("postgres" if name == "postgres" else "999:999")
    assert "ports" not in SERVICES[name].options


@pytest.mark.parametrize("name", [*SERVERS, *MONITORING])
def test_the_servers_can_do_little_either(name: str) -> None:
    options = SERVICES[name].options
    assert options["user"] != "root"
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(options)


def test_no_secret_comes_by_the_environment() -> None:
    secret = {option.variable for option in OPTIONS.values() if option.secret} - {"AGGREGATOR_PROXY"}
    for service in OURS.values():
        assert not secret & set(service.environment), service.name


def test_only_the_reader_and_the_dashboard_are_published_and_only_on_loopback() -> None:
    ports = {name: service.options["ports"] for name, service in SERVICES.items() if "ports" in service.options}
    port = SERVICES["reader"].environment["AGGREGATOR_LISTEN"].rpartition(":")[2]
    assert ports == {"reader": [f"127.0.0.1:{port}:{port}"], "grafana": ["127.0.0.1:3000:3000"]}


def test_redis_forgets_nothing_and_has_a_password() -> None:
    command = SERVICES["redis"].command
    assert command[:2] == ["redis-server", f"{FOLDER}redis_config"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"
    assert SERVICES["redis"].options["volumes"] == ["redis:/data"]


def test_each_queue_is_served_by_one_service(tmp_path: Path) -> None:
    app = create_app(Container(_settings(OURS["worker-feeds"], tmp_path)))
    served = [queue for service in SERVICES.values() for queue in service.queues]
    assert sorted(served) == sorted({queue.name for queue in app.conf.task_queues} - former_queues().keys())


@pytest.mark.parametrize("name", ["worker-feeds", "worker-api"])
def test_a_worker_may_end_its_polls_before_it_is_killed(name: str, tmp_path: Path) -> None:
    app = create_app(Container(_settings(OURS[name], tmp_path)))
    assert OURS[name].grace >= app.conf.worker_soft_shutdown_timeout + MARGIN


@pytest.mark.parametrize("name", ["worker-feeds", "worker-api", "scheduler"])
def test_a_health_check_looks_at_the_heartbeat_of_that_process(name: str, tmp_path: Path) -> None:
    words = OURS[name].command
    called = words[words.index("--hostname") + 1] if "--hostname" in words else ""
    # Celery fills in %h, the shell $HOSTNAME; in a container both are its id.
    file = Heartbeat(tmp_path, f"worker-{called}".replace("%h", "$HOSTNAME") if called else name).path.name
    assert f"{file} " in OURS[name].health[-1].replace('"', "")
    assert f'-newermt "{OLDEST} seconds ago"' in OURS[name].health[-1]
