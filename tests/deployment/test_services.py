"""Run the compose file's services as processes with their own commands, variables, secrets and health checks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deployment import dockerfile
from tests.deployment.compose import FOLDER, SINGLE, Service, services
from tests.processes import ROOT, Processes, eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

SERVICES = services()
LASTING = ("worker-feeds", "worker-api", "scheduler", "reader")


@pytest.fixture
def secrets(tmp_path: Path, postgresql_url: str, redis_url: str) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    given = {"database_url": postgresql_url, "secret_key": "k" * 43, "broker_url": redis_url}
    names = (name for service in SERVICES.values() for name in service.options.get("secrets", ()))
    for name, content in {**dict.fromkeys(names, ""), **given}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def _environment(service: Service, secrets: Path, port: int) -> dict[str, str]:
    """Return its variables, with replacements for those that only work in containers."""
    environ = {name: value.replace(FOLDER, f"{secrets}/") for name, value in service.environment.items()}
    here = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOSTNAME": socket.gethostname(),  # as Docker sets it
        "AGGREGATOR_LISTEN": f"127.0.0.1:{port}",
        "AGGREGATOR_DATA_DIR": str(secrets.parent),
    }
    return {**environ, **here}


def _healthy(service: Service, environ: Mapping[str, str], port: int) -> bool:
    words = [word.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for word in service.health]
    assert service.name != "reader" or words != service.health
    return _succeeds(words, environ)


@pytest.mark.slow
def test_every_service_starts_gets_healthy_and_stops_in_time(tmp_path: Path, secrets: Path) -> None:
    with Processes(tmp_path, {}) as stack:
        environs = {
            name: _environment(service, secrets, stack.port) for name, service in SERVICES.items() if service.ours
        }
        migrate = stack.start("migrate", *SERVICES["migrate"].command, **environs["migrate"])
        assert migrate.wait(60) == 0
        started = {name: stack.start(name, *SERVICES[name].command, **environs[name]) for name in LASTING}
        for name in LASTING:
            eventually(
                f"{name} is healthy",
                lambda name=name: _healthy(SERVICES[name], environs[name], stack.port),  # type: ignore[misc]
            )
        for process in started.values():
            process.terminate()
        for name, process in started.items():
            assert process.wait(SERVICES[name].grace) == 0, stack.log(name)


@pytest.mark.slow
def test_one_container_runs_everything(tmp_path: Path) -> None:
    (service,) = services(SINGLE).values()
    with Processes(tmp_path, {}) as stack:
        here = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AGGREGATOR_LISTEN": f"127.0.0.1:{stack.port}",
            "AGGREGATOR_DATA_DIR": str(tmp_path / "data"),
        }
        environ = {**dockerfile.environment(), **service.environment, **here}
        words = [word.replace("127.0.0.1:8080", f"127.0.0.1:{stack.port}") for word in dockerfile.health()]
        process = stack.start("run", *service.command, **environ)
        eventually("it is healthy", lambda: _succeeds(words, environ))
        eventually("it runs as status says", lambda: _succeeds(["aggregator", "status", "--ticking"], environ))
        assert {"aggregator.sqlite3", "secret-key"} <= {path.name for path in (tmp_path / "data").iterdir()}
        process.terminate()
        assert process.wait(service.grace) == 0, stack.log("run")


def _succeeds(words: list[str], environ: Mapping[str, str]) -> bool:
    done = subprocess.run(
        words, check=False, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=30
    )
    if done.returncode:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return True
