"""Test secrets that are replaced while a process runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aggregator.config import live_settings
from aggregator.config.live_settings import LiveSettings
from aggregator.config.settings import Settings
from aggregator.domain.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = "first-key-" * 4, "second-key-" * 4


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the files at every use."""
    monkeypatch.setattr(live_settings, "_INTERVAL", 0)


def live(folder: Path, **environ: str) -> LiveSettings:
    values = {"DATA_DIR": str(folder / "data"), **environ}
    return LiveSettings(Settings.from_environment({f"AGGREGATOR_{name}": value for name, value in values.items()}))


def put(path: Path, content: str) -> Path:
    """Replace a file at once, as editors and secret managers do."""
    new = path.with_name("new")
    new.write_text(content)
    return new.replace(path)


def revealed(settings: LiveSettings) -> list[str]:
    return [key.reveal() for key in settings.secret_keys()]


def token(settings: LiveSettings) -> Any:
    return settings.current().kinds["x_bearer_token"].reveal()


def test_a_token_follows_its_file(tmp_path: Path) -> None:
    path = put(tmp_path / "token", "one")
    settings = live(tmp_path, X_BEARER_TOKEN_FILE=str(path))
    assert token(settings) == "one"
    before = settings.current()
    assert settings.current() is before
    put(path, "two\n")
    assert token(settings) == "two"
    assert before.kinds["x_bearer_token"].reveal() == "one"


@pytest.mark.parametrize("content", ["", "two words", None], ids=["empty", "invalid", "missing"])
def test_a_file_that_cannot_be_used_changes_nothing(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path / "token", "one")
    settings = live(tmp_path, X_BEARER_TOKEN_FILE=str(path))
    assert token(settings) == "one"
    if content is None:
        path.unlink()
    else:
        put(path, content)
    assert token(settings) == "one"
    assert "secret not replaced" in capsys.readouterr().out
    put(path, "three")
    assert token(settings) == "three"


def test_keys_follow_their_file(tmp_path: Path) -> None:
    path = put(tmp_path / "key", FIRST)
    settings = live(tmp_path, SECRET_KEY_FILE=str(path))
    assert revealed(settings) == [FIRST]
    put(path, f"{SECOND}\n{FIRST}\n")
    assert revealed(settings) == [SECOND, FIRST]
    put(path, SECOND)
    assert revealed(settings) == [SECOND]


def test_generated_keys_follow_their_file(tmp_path: Path) -> None:
    settings = live(tmp_path)
    [generated] = revealed(settings)
    put(tmp_path / "data" / "secret-key", f"{SECOND}\n{generated}")
    assert revealed(settings) == [SECOND, generated]
    put(tmp_path / "data" / "secret-key", "short")
    with pytest.raises(SettingsError, match="contains no valid key"):
        settings.secret_keys()


def test_values_of_the_environment_stay(tmp_path: Path) -> None:
    settings = live(tmp_path, SECRET_KEY=f"{FIRST} {SECOND}", X_BEARER_TOKEN="one")
    assert revealed(settings) == [FIRST, SECOND]
    assert token(settings) == "one"


def test_addresses_of_servers_need_a_restart(tmp_path: Path) -> None:
    path = put(tmp_path / "url", f"sqlite:///{tmp_path}/one.sqlite3")
    settings = live(tmp_path, DATABASE_URL_FILE=str(path))
    put(path, f"sqlite:///{tmp_path}/two.sqlite3")
    assert settings.current().database_url.reveal().endswith("one.sqlite3")


def test_files_are_looked_at_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "token", "one")
    monkeypatch.setattr(live_settings, "_INTERVAL", 3600)
    settings = live(tmp_path, X_BEARER_TOKEN_FILE=str(path))
    assert token(settings) == "one"
    put(path, "two")
    assert token(settings) == "one"


def test_no_key_is_displayed(tmp_path: Path) -> None:
    shown = dict(row[:2] for row in live(tmp_path, SECRET_KEY=f"{FIRST} {SECOND}").current().rows())
    assert shown["AGGREGATOR_SECRET_KEY"] == "**** and 1 former"
