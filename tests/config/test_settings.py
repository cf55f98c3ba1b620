"""Test settings: read once, validated together, and secrets never shown."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import traceback
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from aggregator.config.settings import OPTIONS, Rate, Secret, Settings, every_option
from aggregator.domain.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "k" * 32


EVERY = {option.name: option for option in every_option()}


def _read(**variables: str) -> Settings:
    return Settings.from_environment({f"AGGREGATOR_{name}": value for name, value in variables.items()})


def test_everything_has_a_default_that_works() -> None:
    settings = Settings.from_environment({})
    assert settings.database_url.reveal().startswith("sqlite:////")
    assert settings.database_url.reveal().endswith("/data/aggregator.sqlite3")
    assert settings.embedded_database
    assert settings.embedded_broker
    assert settings.kinds["x_bearer_token"] is None
    assert settings.kinds["x_base_url"] == "https://api.x.com"
    assert settings.private_networks == ()
    assert settings.listen == ("127.0.0.1", 8080)
    assert (settings.lease, settings.host_spacing, settings.host_concurrency) == (
        timedelta(minutes=5),
        timedelta(seconds=2),
        1,
    )
    assert settings.timezone == ZoneInfo("UTC")
    assert set(settings.origins.values()) <= {"default", "not set"}


def test_an_empty_variable_is_not_set() -> None:
    assert _read(PUBLIC_URL="", LEASE="  ", X_BEARER_TOKEN="") == Settings.from_environment({})


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("DATABASE_URL", "postgresql://u:p@db/x", "postgresql+psycopg://u:p@db/x"),
        ("DATABASE_URL", "postgres://u@db/x", "postgresql+psycopg://u@db/x"),
        ("BROKER_URL", "redis://r:6379/0", "redis://r:6379/0"),
        ("X_BASE_URL", "http://127.0.0.1:9/x/", "http://127.0.0.1:9/x"),
        ("X_BASE_URL", "http://[::1]:9", "http://[::1]:9"),
        ("PRIVATE_NETWORKS", "127.0.0.1, 10.1.0.0/16", (ip_network("127.0.0.1"), ip_network("10.1.0.0/16"))),
        ("PUBLIC_URL", "https://portal.example/stream/", "https://portal.example/stream"),
        ("DATABASE_URL", "sqlite:////var/lib/x.sqlite3", "sqlite:////var/lib/x.sqlite3"),
        ("LISTEN", "[::1]:80", ("::1", 80)),
        ("LEASE", "10", timedelta(seconds=10)),
        ("LEASE", "10m", timedelta(minutes=10)),
        ("LEASE", "1m30s", timedelta(seconds=90)),
        ("LOG_AGE", "90", timedelta(days=90)),
        ("LOG_AGE", "2w", timedelta(days=14)),
        ("HIDDEN_AGE", "48h", timedelta(days=2)),
        ("STREAM_AGE", "Forever", None),
        ("QUEUE_AGE", "12", timedelta(hours=12)),
        ("QUEUE_AGE", "3d", timedelta(days=3)),
        ("QUEUE_AGE", "off", None),
        ("HOST_SPACING", "0.5", timedelta(seconds=0.5)),
        ("HOST_CONCURRENCY", "8", 8),
        ("TIMEZONE", "Europe/Madrid", ZoneInfo("Europe/Madrid")),
        ("LOCALE", "pt-BR", "pt-BR"),
        ("LOCALE", "en-XA", "en-XA"),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("LOG_FORMAT", "json", "json"),
        ("CORS_ORIGINS", "", ()),
        ("CORS_ORIGINS", "*", ("*",)),
        (
            "CORS_ORIGINS",
            "https://Portal.example, http://localhost:3000, https://portal.example:443, http://[::1]:80",
            ("https://portal.example", "http://localhost:3000", "http://[::1]"),
        ),
        ("RATE_LIMIT", "", Rate(300, 60)),
        ("RATE_LIMIT", "5/second", Rate(5, 1)),
        ("RATE_LIMIT", "1000/Hour", Rate(1000, 3600)),
        ("RATE_LIMIT", "off", None),
        ("RATE_STORE", "redis://:p@r:6379/1", "redis://:p@r:6379/1"),
        ("BROKER_URL", "amqp://me:p@r:5672//", "amqp://me:p@r:5672//"),
        ("LOCAL_SIGN_IN", "", None),
        ("LOCAL_SIGN_IN", "None", frozenset()),
        ("LOCAL_SIGN_IN", "rescue, ana", frozenset({"rescue", "ana"})),
        ("OIDC_EMAIL_DOMAINS", "Example.org, example.com", ("example.org", "example.com")),
        ("OIDC_SCOPE", "openid groups", "openid groups"),
    ],
)
def test_good_values(name: str, value: str, read: object) -> None:
    settings = _read(**{name: value})
    got = getattr(settings, name.lower()) if name in OPTIONS else settings.kinds[name.lower()]
    assert (got.reveal() if isinstance(got, Secret) else got) == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "sqlite://relative"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("BROKER_URL", "sqs://x"),
        ("BROKER_URL", "rabbit"),
        ("RATE_STORE", "amqp://x"),
        ("X_BEARER_TOKEN", "with space"),
        ("X_BASE_URL", "http://api.x.com"),
        ("X_BASE_URL", "ftp://127.0.0.1"),
        ("PRIVATE_NETWORKS", "10.0.0.1/8"),
        ("PRIVATE_NETWORKS", "localhost"),
        ("CONTACT_URL", "mailto:a@b.example"),
        ("PUBLIC_URL", "https://portal.example:99999"),
        ("PUBLIC_URL", "https://portal.example/?a=b"),
        ("LISTEN", "8080"),
        ("LISTEN", "localhost:8080"),
        ("LISTEN", "127.0.0.1:70000"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("SECRET_KEY", "short"),
        ("LEASE", "9"),
        ("LEASE", "nan"),
        ("HOST_SPACING", "-1"),
        ("HOST_CONCURRENCY", "0"),
        ("HOST_CONCURRENCY", "1.5"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../../etc/passwd"),
        ("LOCALE", "english please"),
        ("LOCALE", "xx"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("CORS_ORIGINS", "portal.example"),
        ("CORS_ORIGINS", "https://portal.example/"),
        ("CORS_ORIGINS", "https://portal.example/page"),
        ("CORS_ORIGINS", "https://portal.example?a"),
        ("CORS_ORIGINS", "https://me@portal.example"),
        ("CORS_ORIGINS", "https://*.portal.example"),
        ("CORS_ORIGINS", "https://portal.example:99999"),
        ("CORS_ORIGINS", "https://portal.example:"),
        ("CORS_ORIGINS", "https://a b.example"),
        ("CORS_ORIGINS", "https://[::zz]"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "ftp://portal.example"),
        ("RATE_LIMIT", "300"),
        ("RATE_LIMIT", "0/minute"),
        ("RATE_LIMIT", "300/week"),
        ("RATE_LIMIT", "many/minute"),
        ("RATE_STORE", "memcached://r"),
        ("OIDC_ISSUER", "http://id.example"),
        ("OIDC_ISSUER", "https://id.example/?a=b"),
        ("OIDC_GROUPS", "comms"),
        ("OIDC_GROUPS", "comms=owner"),
        ("OIDC_GROUPS", "=editor"),
        ("OIDC_SCOPE", "profile"),
        ("OIDC_EMAIL_DOMAINS", "@example.org"),
        ("OIDC_CLIENT_SECRET", "short"),
        ("LOCAL_SIGN_IN", "a b"),
    ],
)
def test_a_wrong_value_names_itself_and_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _read(**{name: value})
    message = str(caught.value)
    assert f"AGGREGATOR_{name}" in message
    assert EVERY[name].allowed in message
    assert (value in message) != EVERY[name].secret


def test_a_password_in_a_wrong_address_does_not_show() -> None:
    with pytest.raises(SettingsError, match=r"PUBLIC_URL: invalid value 'https://me:\*{4}@portal.example';"):
        _read(PUBLIC_URL="https://me:pppp@portal.example")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DATABASE_URL", "postgresql://me:p/p@p@db/x", "postgresql+psycopg://me:****@db/x"),
        (
            "DATABASE_URL",
            "postgresql://db:5432/x?user=me&password=pppp",
            "postgresql+psycopg://db:5432/x?user=me&password=****",
        ),
        ("DATABASE_URL", "postgresql://db:5432/x", "postgresql+psycopg://db:5432/x"),
        ("BROKER_URL", "redis://:p@p@r:6379/0", "redis://:****@r:6379/0"),
        ("BROKER_URL", "redis://r:6379/0", "redis://r:6379/0"),
        ("LISTEN", "[::1]:80", "[::1]:80"),
        ("LISTEN", "127.0.0.1:80", "127.0.0.1:80"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,::1", "10.0.0.0/8, ::1/128"),
        ("HOST_SPACING", "0.5", "0.5"),
        ("HOST_SPACING", "90", "1m30s"),
        ("VERSIONS_AGE", "90", "90d"),
        ("CORS_ORIGINS", "https://a.example,https://b.example:8443", "https://a.example, https://b.example:8443"),
        ("CORS_ORIGINS", "", "-"),
        ("RATE_LIMIT", "20/hour", "20/hour"),
        ("RATE_LIMIT", "off", "off"),
        ("RATE_STORE", "rediss://me:p@p@r:6379/1", "rediss://me:****@r:6379/1"),
        ("RATE_STORE", "memory://", "memory://"),
        ("LOCAL_SIGN_IN", "", "all"),
        ("LOCAL_SIGN_IN", "zoe,ana", "ana, zoe"),
    ],
)
def test_how_values_are_shown(name: str, value: str, shown: str) -> None:
    rows = {variable: as_shown for variable, as_shown, _, _ in _read(**{name: value}).rows()}
    assert rows[f"AGGREGATOR_{name}"] == shown


OIDC = {"OIDC_CLIENT_ID": "desk", "OIDC_GROUPS": "cn=a,ou=b=editor; web=admin", "PUBLIC_URL": "https://x.example"}


def test_the_provider_s_settings_belong_together() -> None:
    settings = _read(OIDC_ISSUER="https://id.example/", **OIDC)  # compared byte for byte
    rows = {variable: shown for variable, shown, _, _ in settings.rows()}
    assert (settings.oidc_issuer, rows["AGGREGATOR_OIDC_ISSUER"]) == ("https://id.example/",) * 2
    assert rows["AGGREGATOR_OIDC_GROUPS"] == "cn=a,ou=b=editor, web=admin"
    with pytest.raises(SettingsError, match="go together"):
        _read(OIDC_ISSUER="https://id.example")
    with pytest.raises(SettingsError, match="needs AGGREGATOR_PUBLIC_URL"):
        _read(**{**OIDC, "OIDC_ISSUER": "https://id.example", "PUBLIC_URL": ""})


def test_a_mail_server_needs_addresses_and_not_the_other_way_round() -> None:
    _read(MAIL_FROM="a@portal.example", MAIL_TO="b@portal.example")
    with pytest.raises(SettingsError, match="go together"):
        _read(MAIL_SERVER="smtp://127.0.0.1", MAIL_FROM="a@portal.example")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        _read(LEASE="x", LISTEN="y", NONSENSE="z")
    messages = str(caught.value).splitlines()
    assert len(messages) == 3
    assert any("AGGREGATOR_NONSENSE is an unknown setting" in line for line in messages)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("  from-a-file\n")
    settings = _read(X_BEARER_TOKEN_FILE=str(path))
    assert settings.kinds["x_bearer_token"] is not None
    assert settings.kinds["x_bearer_token"].reveal() == "from-a-file"
    assert settings.origins["X_BEARER_TOKEN"] == f"file {path}"


def test_a_secret_given_twice_or_unreadable_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="both set; keep one"):
        _read(X_BEARER_TOKEN="a", X_BEARER_TOKEN_FILE=str(path))
    with pytest.raises(SettingsError, match=r"X_BEARER_TOKEN_FILE: .* can't be read"):
        _read(X_BEARER_TOKEN_FILE=str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match="can't be read"):
        _read(X_BEARER_TOKEN_FILE=str(path))
    with pytest.raises(SettingsError, match="LISTEN_FILE is an unknown setting"):
        _read(LISTEN_FILE=str(path))


def test_secrets_never_show() -> None:
    settings = _read(
        X_BEARER_TOKEN="tttt", SECRET_KEY=KEY, DATABASE_URL="postgresql://me:pppp@db/x", BROKER_URL="redis://:rrrr@r/0"
    )
    shown = f"{settings} {settings!r} {settings.rows()} {[str(getattr(settings, n.lower())) for n in OPTIONS]}"
    for secret in ("tttt", KEY, "pppp", "rrrr"):
        assert secret not in shown
    rows = {variable: value for variable, value, _, _ in settings.rows()}
    assert rows["AGGREGATOR_DATABASE_URL"] == "postgresql+psycopg://me:****@db/x"
    assert rows["AGGREGATOR_X_BEARER_TOKEN"] == "****"


def test_a_wrong_secret_does_not_show_in_the_traceback() -> None:
    hidden = f"{KEY[:4]} {KEY}"
    with pytest.raises(SettingsError) as caught:
        _read(SECRET_KEY=hidden)
    assert hidden not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = _read(DATA_DIR=str(tmp_path / "new"))
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(settings.secret().reveal())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 32
    path = tmp_path / "new" / "secret-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret-key"]


@pytest.mark.slow
def test_processes_that_start_together_get_the_same_key(tmp_path: Path) -> None:
    script = "from aggregator.config.settings import Settings; print(Settings.from_environment().secret().reveal())"
    environ = {**os.environ, "AGGREGATOR_DATA_DIR": str(tmp_path / "new")}
    command = [sys.executable, "-c", script]
    started = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    keys = {process.communicate(timeout=30)[0].strip() for process in started}
    assert len(keys) == 1
    assert len(keys.pop()) >= 32


def test_a_key_file_without_a_whole_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("half\n")
    with pytest.raises(SettingsError, match="secret-key contains no valid key; delete the file"):
        _read(DATA_DIR=str(tmp_path)).secret()


def test_a_key_that_is_given_is_used(tmp_path: Path) -> None:
    assert _read(DATA_DIR=str(tmp_path), SECRET_KEY=KEY).secret().reveal() == KEY
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"AGGREGATOR_SECRET_KEY is not set and .* can't be created"):
        _read(DATA_DIR=str(tmp_path / "file")).secret()
