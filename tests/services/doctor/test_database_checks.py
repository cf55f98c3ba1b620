"""Test that wrong databases are found, on real ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update
from sqlalchemy.engine import make_url

from aggregator.config.credential_encryption import HeaderCipher, basic
from aggregator.domain.polling.api_refusals import Refusal
from aggregator.domain.polling.pushes import stream_names
from aggregator.domain.secrets import Secret
from aggregator.services.doctor.database_checks import (
    _check_limits,
    check_clock,
    check_content,
    check_schema,
    check_server,
)
from storage.tables.polling import source
from tests.building import add_source
from tests.servers import free_port
from tests.services.doctor.subjects import codes, subject

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.services.doctor.examination import Subject
    from storage.store import Store

HOUR = timedelta(hours=1)
OTHER_KEY = "another-key" * 4
UNUSED = {"postgresql-fsync", "postgresql-full-page-writes", "postgresql-autovacuum"}  # that tests switch off
BASE = {*UNUSED, "postgresql-superuser"}


def _url(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def _subject(store: Store, tmp_path: Path, **environ: str) -> Subject:
    with store.writing() as tx:
        tx.stream.state.beat(datetime.now(UTC))
    return subject({"DATA_DIR": str(tmp_path), "DATABASE_URL": _url(store), "SECRET_KEY": "k" * 43, **environ})


def _alter(store: Store, setting: str) -> None:
    """Change a setting of the database for new connections."""
    name = store.engine.url.database
    with store.engine.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET {setting}'))
    store.close()


def test_a_sound_database_has_no_findings(store: Store, tmp_path: Path) -> None:
    add_source(store, now=datetime.now(UTC))
    examined = _subject(store, tmp_path)
    assert [codes(check, examined) for check in (check_schema, check_clock, check_content)] == [set(), set(), set()]


def test_settings_that_tests_use_are_found(postgresql_store: Store, tmp_path: Path) -> None:
    assert codes(check_server, _subject(postgresql_store, tmp_path)) == BASE


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("synchronous_commit = off", "postgresql-synchronous-commit"),
        ("default_transaction_isolation = 'serializable'", "postgresql-default-transaction-isolation"),
        ("session_replication_role = replica", "postgresql-session-replication-role"),
        ("log_statement = 'all'", "postgresql-log-statement"),
    ],
    ids=["synchronous-commit", "isolation", "triggers", "log-statement"],
)
def test_wrong_settings_of_postgresql_are_found(
    postgresql_store: Store, tmp_path: Path, setting: str, code: str
) -> None:
    _alter(postgresql_store, setting)
    assert codes(check_server, _subject(postgresql_store, tmp_path)) == {*BASE, code}


def test_missing_limits_are_found(postgresql_store: Store, tmp_path: Path) -> None:
    url = make_url(_url(postgresql_store)).update_query_dict({"options": "-c timezone=UTC"})
    examined = _subject(postgresql_store, tmp_path, DATABASE_URL=url.render_as_string(hide_password=False))
    timeouts = {"postgresql-statement-timeout", "postgresql-idle-in-transaction-session-timeout"}
    assert codes(check_server, examined) == BASE | timeouts


def test_a_small_and_an_old_server_are_found(postgresql_store: Store) -> None:
    with postgresql_store.reading() as tx:
        settings = tx.monitoring.server.settings()
    changed = {**settings, "max_connections": "20", "server_version_num": "130012", "is_superuser": "off"}
    assert {finding.code for finding in _check_limits(changed)} == {"postgresql-max-connections", "postgresql-old"}


def test_a_user_without_privileges_is_found(postgresql_store: Store, tmp_path: Path) -> None:
    examined = _subject(postgresql_store, tmp_path)
    role = f"reader_{tmp_path.name}"[:60]
    with postgresql_store.engine.begin() as connection:
        connection.execute(text(f'CREATE ROLE "{role}" LOGIN'))
        connection.execute(text(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"'))
    try:
        url = postgresql_store.engine.url.set(username=role).render_as_string(hide_password=False)
        examined = _subject(postgresql_store, tmp_path, DATABASE_URL=url)
        assert codes(check_schema, examined) == set()
        assert codes(check_server, examined) == {*UNUSED, "database-privileges"}
    finally:
        examined.store.close()
        with postgresql_store.engine.begin() as connection:
            connection.execute(text(f'DROP OWNED BY "{role}"'))
            connection.execute(text(f'DROP ROLE "{role}"'))


def test_a_read_only_database_is_found(postgresql_store: Store, tmp_path: Path) -> None:
    examined = _subject(postgresql_store, tmp_path)
    _alter(postgresql_store, "default_transaction_read_only = on")
    assert codes(check_schema, examined) == {"database-read-only"}


def test_a_database_that_does_not_answer_is_found(tmp_path: Path) -> None:
    url = f"postgresql://user:secretword@127.0.0.1:{free_port()}/none"
    examined = subject({"DATA_DIR": str(tmp_path), "DATABASE_URL": url})
    [found] = check_schema(examined)
    assert found.code == "database-unreachable"
    assert "secretword" not in found.problem


@pytest.mark.parametrize("version", ["0012", "9999"], ids=["older", "newer"])
def test_a_schema_of_another_version_is_found(store: Store, tmp_path: Path, version: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    examined = subject({"DATA_DIR": str(tmp_path), "DATABASE_URL": _url(store)})
    assert codes(check_schema, examined) == {"schema"}


def test_a_missing_schema_is_found_and_no_file_is_made(tmp_path: Path) -> None:
    assert codes(check_schema, subject({"DATA_DIR": str(tmp_path / "none")})) == {"schema"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ahead", [-60, 60], ids=["behind", "ahead"])
def test_clocks_that_differ_are_found(postgresql_store: Store, tmp_path: Path, ahead: int) -> None:
    examined = _subject(postgresql_store, tmp_path)
    wrong = replace(examined, clock=lambda: datetime.now(UTC) + timedelta(seconds=ahead))
    assert codes(check_clock, wrong) == {"clock-differs"}


def test_times_in_the_future_are_found(store: Store, tmp_path: Path) -> None:
    examined = _subject(store, tmp_path)
    with store.writing() as tx:
        tx.stream.state.beat(datetime.now(UTC) + HOUR)
    assert codes(check_clock, examined) == {"clock-set-back"}


def _stop_scheduler(store: Store) -> None:
    with store.writing() as tx:
        tx.stream.state.beat(datetime.now(UTC) - HOUR)


def _refuse(store: Store) -> None:
    now = datetime.now(UTC)
    with store.writing() as tx:
        tx.api.refusals.put(Refusal("x", "app", "", "credentials", "X refused it.", now, now + HOUR, 0, polls=True))


def _unknown_kind(store: Store) -> None:
    made = add_source(store)
    with store.engine.begin() as connection:
        connection.execute(update(source).where(source.c.id == made.id).values(kind="gopher"))


def _claim_stream(store: Store) -> None:
    with store.writing() as tx:
        tx.polling.pushes.put_times({stream_names("bluesky").claim: datetime.now(UTC) + HOUR})


def _encrypt(store: Store) -> None:
    made = add_source(store)
    sealed = HeaderCipher(Secret(OTHER_KEY)).close(made.own_host, basic("user", "word"))
    with store.engine.begin() as connection:
        connection.execute(update(source).where(source.c.id == made.id).values(sealed=sealed))


PLANTED = {
    "scheduler-stopped": (_stop_scheduler, {}),
    "calls-refused": (_refuse, {}),
    "kind-unknown": (_unknown_kind, {}),
    "token-missing": (lambda store: add_source(store, "x", "twitter", address="42"), {}),
    "listener-missing": (lambda _: None, {"BLUESKY_JETSTREAM": "yes"}),
    "stream-broken": (_claim_stream, {"BLUESKY_JETSTREAM": "yes"}),
    "polls-limited": (
        lambda store: [add_source(store, f"s{number}") for number in range(3)],
        {"POLLS_PER_HOUR": "60", "POLLS_PER_MINUTE": "1"},
    ),
    "secret-key-changed": (_encrypt, {}),
    "secret-key-former-used": (_encrypt, {"SECRET_KEY": f"{'k' * 43} {OTHER_KEY}"}),
    "secret-key-former": (add_source, {"SECRET_KEY": f"{'k' * 43} {OTHER_KEY}"}),
}


@pytest.mark.parametrize("code", PLANTED)
def test_what_is_stored_is_checked(sqlite_store: Store, tmp_path: Path, code: str) -> None:
    plant, environ = PLANTED[code]
    examined = _subject(sqlite_store, tmp_path, **environ)
    plant(sqlite_store)
    assert code in codes(check_content, examined)
