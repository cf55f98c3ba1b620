"""Create files and folders that only their owner can read: database, log, key and locks."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OURS = ("aggregator.sqlite3", "secret-key", "writer.lock")  # contents of a data folder


def opener(path: str, flags: int) -> int:
    """Open a file with `open(..., opener=opener)`; new files are private to the owner for any umask."""
    return os.open(path, flags, _FILE)


def make_folder(path: Path) -> None:
    """Make a private folder; an existing one is not changed.

    Raises:
        OSError: it can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=_FOLDER, exist_ok=True)


def make_file(path: Path) -> None:
    """Create an empty private file if its folder exists and the file doesn't."""
    if not path.exists() and path.parent.is_dir():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, _FILE))


def tighten_folder(path: Path) -> None:
    """Make the data folder of an earlier release private, and its files."""
    existing = [path / name for name in _OURS if (path / name).exists()]
    if existing:
        _tighten(path, stat.S_ISVTX)
        for file in existing:
            tighten_database(file)


def tighten_database(path: Path) -> None:
    """Make an existing file private, and SQLite's files beside it."""
    for ending in ("", "-wal", "-shm", "-journal", ".migrating"):
        _tighten(path.with_name(path.name + ending))


def _tighten(path: Path, unless: int = 0) -> None:
    """Remove the permissions of others if the path belongs to this user and has all bits: /tmp stays usable."""
    try:
        found = path.stat()
        if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not found.st_mode & unless:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    except OSError:  # missing, or on a file system without permissions
        return
