"""Check that files of the program are private to its owner, also those of earlier releases."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from aggregator.config.process_lock import writer_lock
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.system import private_files
from tests.building import add_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """Make new files readable for all users, unless the program sets a mode."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(folder: Path, slug: str = "news") -> dict[str, int]:
    """Use a data folder as `migrate` and `run` do; return the modes of all its files meanwhile."""
    container = Container(Settings.from_environment({"AGGREGATOR_DATA_DIR": str(folder)}))
    try:
        container.settings.secret()
        container.migrate()
        with writer_lock(container.settings):
            add_source(container.store, slug)
            return {path.name: mode(path) for path in folder.iterdir()}
    finally:
        container.close()


def test_the_data_folder_and_all_that_is_in_it_is_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    modes = run(folder)
    assert {"aggregator.sqlite3", "aggregator.sqlite3-wal", "secret-key", "writer.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert mode(folder) == 0o700


def test_what_an_earlier_release_left_open_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run(folder)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    assert set(run(folder, "later").values()) == {0o600}
    assert mode(folder) == 0o700


def test_a_folder_that_others_use_stays_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)  # as /tmp
    assert set(run(shared).values()) == {0o600}
    private_files.tighten_folder(shared)
    assert mode(shared) == 0o1777
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    foreign.chmod(0o755)
    private_files.tighten_folder(foreign)
    assert mode(foreign) == 0o755
