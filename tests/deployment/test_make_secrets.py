"""make-secrets writes what compose reads, once, and our settings accept it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import make_url

from aggregator.settings import Settings
from tests.deployment.compose import ROOT, document, services

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Give the folder that the script made in a checkout with nothing else in it."""
    shutil.copy(ROOT / "make-secrets", tmp_path)
    _run(tmp_path)
    return tmp_path / "secrets"


def _run(checkout: Path) -> str:
    done = subprocess.run([checkout / "make-secrets"], check=True, cwd="/", capture_output=True, text=True, timeout=30)
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
    assert settings.x_bearer_token is None  # until somebody writes one
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
