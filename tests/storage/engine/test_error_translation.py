"""Test that errors of the database name the problem and the fix."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from aggregator.domain.errors import StoreUnavailableError
from storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that other users can enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def _write(url: str, results: Connection) -> None:
    if os.getuid() == 0:
        os.setuid(_NOBODY)  # permissions don't bind the superuser
    try:
        store = Store.open(url)
        with store.writing() as tx:
            tx.polling.pushes.forget_times(["x"])
        results.send("written")
    except StoreUnavailableError as problem:
        results.send(str(problem))


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_file_or_folder_of_sqlite_is_named(folder: Path, what: str) -> None:
    file = folder / "a.sqlite3"
    store = Store.open(f"sqlite:///{file}")
    store.migrate(authority="test.invalid", today=date(2026, 11, 1))
    store.close()
    for path in folder.iterdir():
        path.chmod(0o666 if what == "folder" else 0o444)
    folder.chmod(0o555 if what == "folder" else 0o777)
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_write, args=(f"sqlite:///{file}", theirs))
    process.start()
    assert ours.poll(60)
    message = ours.recv()
    process.join(60)
    assert f"The database {file} is read-only: this user must be able to write to the file and to its folder" in message


def test_a_read_only_postgresql_is_named(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        assert row is not None
        connection.execute(f'ALTER DATABASE "{row[0]}" SET default_transaction_read_only = on')
        try:
            store = Store.open(postgresql_url)
            with pytest.raises(StoreUnavailableError, match="read-only: connect to the primary"), store.writing():
                pass
            store.close()
        finally:
            connection.execute(f'ALTER DATABASE "{row[0]}" RESET default_transaction_read_only')
