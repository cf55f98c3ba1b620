"""Test scripts/make-secrets: it writes the files that compose reads, once, and the settings accept them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from subprocess import DEVNULL
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from sqlalchemy.engine import make_url

from aggregator.config.settings import Settings
from tests.deployment.compose import FOLDER, ROOT, document, services
from tests.processes import eventually
from tests.servers import free_port, redis_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Give the folder that the script creates in an empty checkout."""
    _copy_script("make-secrets", tmp_path)
    _run(tmp_path)
    return tmp_path / "secrets"


def _copy_script(name: str, checkout: Path) -> None:
    (checkout / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / name, checkout / "scripts")


def _run(checkout: Path) -> str:
    done = subprocess.run(
        [checkout / "scripts" / "make-secrets"], check=True, cwd="/", capture_output=True, text=True, timeout=30
    )
    return done.stdout


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_it_writes_exactly_what_compose_reads(made: Path) -> None:
    assert {f"./secrets/{name}" for name in _contents(made)} == {how["file"] for how in document()["secrets"].values()}


def test_settings_accept_them_and_the_address_fits_the_database(made: Path) -> None:
    settings = Settings.from_environment(
        {
            "AGGREGATOR_DATABASE_URL_FILE": str(made / "database_url"),
            "AGGREGATOR_SECRET_KEY_FILE": str(made / "secret_key"),
            "AGGREGATOR_X_BEARER_TOKEN_FILE": str(made / "x_bearer_token"),
        }
    )
    assert settings.kinds["x_bearer_token"] is None  # until the file has content
    url = make_url(settings.database_url.reveal())
    database = services()["postgres"].environment
    assert url.host == "postgres"
    assert url.username == database["POSTGRES_USER"]
    assert url.database == database["POSTGRES_DB"]
    assert url.password == (made / "postgres_password").read_text(encoding="utf-8")
    assert settings.secret().reveal() != url.password


def test_what_is_there_stays(made: Path) -> None:
    (made / "x_bearer_token").write_text("a-token", encoding="utf-8")
    before = _contents(made)
    assert _run(made.parent) == ""
    assert _contents(made) == before


def test_only_their_owner_finds_them(made: Path) -> None:
    # Containers see single files under another user's id: these are readable, the folder around them is not.
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o644}


def test_what_an_earlier_release_read_from_the_environment_file_is_taken_over(tmp_path: Path) -> None:
    _copy_script("make-secrets", tmp_path)
    (tmp_path / ".env").write_text("AGGREGATOR_WEBHOOK_SECRET=sixteen-letters-x\nOTHER=1\n", encoding="utf-8")
    _run(tmp_path)
    assert _contents(tmp_path / "secrets")["webhook_secret"] == "sixteen-letters-x"
    assert _contents(tmp_path / "secrets")["mail_server"] == ""


def test_redis_wants_the_password_that_the_services_have(made: Path) -> None:
    redis = services()["redis"]
    program, config, *words = redis.command
    port = free_port()
    here = [redis_program()[0], config.replace(FOLDER, f"{made}/"), *words]
    server = subprocess.Popen([*here, "--port", str(port), "--bind", "127.0.0.1"], cwd=made.parent, stdout=DEVNULL)
    try:
        url = make_url((made / "broker_url").read_text(encoding="utf-8")).set(host="127.0.0.1", port=port)
        with Redis.from_url(url.render_as_string(hide_password=False)) as client:
            eventually("Redis answers", lambda: _answers(client))
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        assert program == "redis-server"
        assert str(url.password) not in " ".join(here)
    finally:
        server.terminate()
        server.wait(30)


def _answers(client: Redis) -> bool:
    with contextlib.suppress(RedisError):
        return bool(client.ping())
    return False


FAKE_DOCKER = """#!/bin/sh
case $1 in
pull) ;;
image) eval "last=\\${$#}"; echo "${last%%:*}@sha256:$(printf %s "$last" | sha256sum | cut -d' ' -f1)" ;;
*) exit 1 ;;
esac
"""


def test_images_are_pinned_by_their_digests(tmp_path: Path) -> None:
    _copy_script("pin-images", tmp_path)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(FAKE_DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    (tmp_path / ".env").write_text("AGGREGATOR_LOCALE=es\nAGGREGATOR_REDIS_IMAGE=redis:old\n", encoding="utf-8")
    environ = {"PATH": f"{docker.parent}:{os.environ['PATH']}"}
    for _ in range(2):
        subprocess.run(
            [tmp_path / "scripts" / "pin-images"], check=True, cwd="/", env=environ, capture_output=True, timeout=30
        )
    variables = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text(encoding="utf-8").splitlines())
    assert variables.pop("AGGREGATOR_LOCALE") == "es"
    assert {name: value.partition("@")[0] for name, value in variables.items()} == {
        "AGGREGATOR_PYTHON_IMAGE": "python",
        "AGGREGATOR_POSTGRES_IMAGE": "postgres",
        "AGGREGATOR_REDIS_IMAGE": "redis",
        "AGGREGATOR_RABBITMQ_IMAGE": "rabbitmq",
        "AGGREGATOR_PROMETHEUS_IMAGE": "prom/prometheus",
        "AGGREGATOR_GRAFANA_IMAGE": "grafana/grafana",
    }
    assert all(re.fullmatch(r"[\w/]+@sha256:[0-9a-f]{64}", value) for value in variables.values())
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    pinned = re.findall(
        r"^pin (\w+) (\S+)$", (ROOT / "scripts" / "pin-images").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {f"${{{name}:-{image}}}" for name, image in pinned} <= set(re.findall(r"\$\{[^}]*\}", compose))
