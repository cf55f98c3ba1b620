"""Check the systemd units without systemd: commands exist, settings are known, and privileges are minimal."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import OPTIONS, Settings
from aggregator.container import Container
from tests.deployment.compose import services, size
from tests.deployment.units import CREDENTIALS, FOLDER, Unit, example, units
from worker import create_app

if TYPE_CHECKING:
    from pathlib import Path

UNITS = units()
WORKERS = ("aggregator-worker-feeds", "aggregator-worker-api")
CODE = "/opt/aggregator"
MARGIN = 10.0  # seconds that a worker takes beyond its soft shutdown: seen were two

every_unit = pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)


def _settings(unit: Unit, folder: Path) -> Settings:
    """Load the settings from a unit's variables, with files for its secrets."""
    contents = {"database_url": "postgresql://127.0.0.1/aggregator", "secret_key": "k" * 43, "x_bearer_token": ""}
    for name in unit.credentials:
        (folder / name).write_text(contents[name], encoding="utf-8")
    ours = {name: value for name, value in unit.environment.items() if name.startswith("AGGREGATOR_")}
    return Settings.from_environment({name: value.replace(CREDENTIALS, f"{folder}/") for name, value in ours.items()})


@every_unit
def test_it_starts_what_the_compose_service_of_that_name_starts(unit: Unit) -> None:
    # Those commands are started for real in the test of the services.
    program, *words = unit.command
    folder, _, name = program.rpartition("/")
    assert folder == f"{CODE}/.venv/bin"
    assert unit.last("WorkingDirectory") == CODE
    assert [name, *words] == services()[unit.name.removeprefix("aggregator-")].command


def test_there_is_one_for_each_of_our_services() -> None:
    ours = {f"aggregator-{name}" for name, service in services().items() if service.ours}
    assert set(UNITS) == ours


@every_unit
def test_settings_accept_its_variables(unit: Unit, tmp_path: Path) -> None:
    settings = _settings(unit, tmp_path)
    assert not settings.embedded_database
    assert not settings.embedded_broker
    assert str(settings.data_dir) == "/tmp"
    assert unit.last("PrivateTmp") == "yes"


def test_settings_accept_all_that_the_example_file_shows() -> None:
    shown = dict(line.split("=", 1) for line in example(commented=True))
    Settings.from_environment(shown)
    assert {f"AGGREGATOR_{name}" for name in ("LEASE", "HOST_SPACING", "TIMEZONE", "LOCALE", "LOG_LEVEL")} <= set(shown)
    secret = {option.variable for option in OPTIONS.values() if option.secret} - {"AGGREGATOR_BROKER_URL"}
    assert not secret & set(shown)


@every_unit
def test_it_reads_each_secret_that_it_is_given(unit: Unit) -> None:
    read = {value.removeprefix(CREDENTIALS) for value in unit.environment.values() if value.startswith(CREDENTIALS)}
    assert read == set(unit.credentials)
    assert all(path == f"/etc/aggregator/secrets/{name}" for name, path in unit.credentials.items())
    assert ("x_bearer_token" in read) == (unit.name in {"aggregator-worker-api", "aggregator-listener"})


@every_unit
def test_it_may_do_little(unit: Unit) -> None:
    assert unit.last("DynamicUser") == "yes"
    assert unit.last("NoNewPrivileges") == "yes"
    assert unit.last("ProtectSystem") == "strict"
    assert unit.last("ProtectHome") == "yes"
    assert unit.last("CapabilityBoundingSet") == ""
    assert unit.last("SystemCallFilter") == "@system-service"


@every_unit
def test_it_has_the_limits_of_the_compose_service(unit: Unit) -> None:
    service = services()[unit.name.removeprefix("aggregator-")]
    assert size(unit.last("MemoryMax")) == service.memory
    assert int(unit.last("TasksMax")) == service.options["pids_limit"]
    assert unit.last("OOMPolicy") == "continue"


@every_unit
def test_it_is_started_again_and_comes_after_the_schema(unit: Unit) -> None:
    assert unit.last("Restart") == "on-failure"
    assert unit.last("StartLimitIntervalSec") == "0"
    if unit.name == "aggregator-migrate":
        assert unit.last("Type") == "oneshot"
        assert "WantedBy" not in unit.options
    else:
        # Required, a schema that fails once at boot would keep them from ever starting.
        assert unit.last("Wants") == unit.last("After") == "aggregator-migrate.service"
        assert unit.last("WantedBy") == "multi-user.target"


def test_commands_of_people_are_not_started_again() -> None:
    # Settings that units share outrank those of the passing unit in which the command runs.
    assert "Restart=" not in (FOLDER / "aggregator-.service.d" / "common.conf").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*WORKERS, "aggregator-scheduler"])
def test_a_hanging_process_is_restarted(name: str) -> None:
    assert (UNITS[name].last("NotifyAccess"), UNITS[name].last("WatchdogSec")) == ("main", "2min")


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_may_end_its_polls_before_it_is_killed(name: str, tmp_path: Path) -> None:
    unit = UNITS[name]
    app = create_app(Container(_settings(unit, tmp_path)))
    assert float(unit.last("TimeoutStopSec")) >= app.conf.worker_soft_shutdown_timeout + MARGIN
    assert unit.last("KillMode") == "mixed"
    assert unit.environment["REMAP_SIGTERM"] == "SIGQUIT"


def test_the_command_for_people_is_a_script_that_names_what_exists() -> None:
    script = FOLDER / "aggregator"
    subprocess.run(["sh", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert f"{CODE}/.venv/bin/aggregator" in text
    assert "x_bearer_token:/etc/aggregator/secrets/x_bearer_token" in text
    assert "AGGREGATOR_X_BEARER_TOKEN_FILE=" in text
    assert script.stat().st_mode & 0o111


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    # The programs lie elsewhere here, which is all that it may complain about.
    for path in FOLDER.glob("*.service"):
        text = path.read_text(encoding="utf-8").replace(f"{CODE}/.venv/bin/", "/bin/true ")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    shutil.copytree(FOLDER / "aggregator-.service.d", tmp_path / "aggregator-.service.d")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("*.service"))],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert [line for line in checked.stderr.splitlines() if "aggregator-" in line] == []
