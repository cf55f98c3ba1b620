"""Test `doctor` as a command: findings with remedies, exit codes, and no changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store
    from tests.cli.conftest import CommandLine


@pytest.fixture
def sound(cli: CommandLine, sqlite_store: Store) -> CommandLine:
    """Give the command line of an installation without errors."""
    with sqlite_store.writing() as tx:
        tx.stream.state.beat(datetime.now(UTC))
    return cli


def _codes(cli: CommandLine, code: int) -> set[str]:
    found = cli.json("doctor", code=code)
    assert all(set(finding) == {"code", "level", "problem", "remedy"} for finding in found)
    return {finding["code"] for finding in found}


def test_warnings_alone_exit_with_0(sound: CommandLine) -> None:
    assert _codes(sound, 0) == {"contact-missing", "public-url-missing", "alerts-missing"}
    printed = sound("doctor").stdout
    assert "WARNING contact-missing: Publishers can't see" in printed
    assert "  -> Set AGGREGATOR_CONTACT_URL" in printed
    assert printed.splitlines()[-1] == "0 errors, 3 warnings"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"AGGREGATOR_NONSENSE": "1"}, "unknown setting"),
        ({"AGGREGATOR_LEASE": "never"}, "invalid value"),
        ({"AGGREGATOR_SECRET_KEY_FILE": "/no/such/file"}, "can't be read"),
        ({"AGGREGATOR_SECRET_KEY": "k" * 43, "AGGREGATOR_SECRET_KEY_FILE": "/x"}, "both set"),
        ({"AGGREGATOR_WEBHOOK_URL": "https://portal.example"}, "go together"),
    ],
    ids=["unknown", "invalid", "file", "twice", "incomplete"],
)
def test_invalid_settings_are_errors(sound: CommandLine, environ: dict[str, str], problem: str) -> None:
    sound.environ |= environ
    [found] = sound.json("doctor", code=1)
    assert (found["code"], found["level"]) == ("setting-invalid", "error")
    assert problem in found["problem"]


def test_errors_come_first_and_exit_with_1(sound: CommandLine) -> None:
    sound.environ["AGGREGATOR_TRUSTED_PROXIES"] = "0.0.0.0/0"
    sound.environ["AGGREGATOR_RATE_STORE"] = f"redis://127.0.0.1:{free_port()}/0"
    found = sound.json("doctor", code=1)
    assert [finding["level"] for finding in found] == ["error"] * 2 + ["warning"] * 3
    assert {finding["code"] for finding in found[:2]} == {"proxies-everyone", "rate-store-unreachable"}


def test_without_a_database_the_other_checks_run_and_no_file_is_made(cli: CommandLine, tmp_path: Path) -> None:
    cli.environ["AGGREGATOR_DATABASE_URL"] = f"sqlite:///{tmp_path / 'none' / 'a.sqlite3'}"
    assert _codes(cli, 1) == {"schema", "contact-missing", "public-url-missing", "alerts-missing"}
    assert not (tmp_path / "none").exists()


def test_a_stack_is_examined(sound: CommandLine, postgresql_store: Store, redis_url: str) -> None:
    url = postgresql_store.engine.url.render_as_string(hide_password=False)
    sound.environ |= {"AGGREGATOR_DATABASE_URL": url, "AGGREGATOR_BROKER_URL": redis_url}
    found = _codes(sound, 1)
    assert {"postgresql-fsync", "scheduler-stopped", "queue-without-worker", "secret-key-generated"} <= found
    assert not [code for code in found if code.endswith(("-broken", "-slow", "-unknown"))]
