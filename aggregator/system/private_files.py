"""Files and folders that only their owner may read: the database, its log, the key and locks."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OURS = ("aggregator.sqlite3", "secret-key", "writer.lock")  # what a data folder holds


def opener(path: str, flags: int) -> int:
    """Open a file as `open(..., opener=opener)`; a new one is for its owner alone, whatever the umask."""
    return os.open(path, flags, _FILE)


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone; one that is there already stays as it is.

    Raises:
        OSError: it can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=_FOLDER, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file for its owner alone where none is and its folder is there."""
    if not path.exists() and path.parent.is_dir():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, _FILE))


def tighten_folder(path: Path) -> None:
    """Keep others out of a data folder of an earlier release, and out of the files of ours in it."""
    held = [path / name for name in _OURS if (path / name).exists()]
    if held:
        _tighten(path, stat.S_ISVTX)
        for file in held:
            tighten_database(file)


def tighten_database(path: Path) -> None:
    """Keep others out of a file that is there, and out of SQLite's files beside it."""
    for ending in ("", "-wal", "-shm", "-journal", ".migrating"):
        _tighten(path.with_name(path.name + ending))


def _tighten(path: Path, unless: int = 0) -> None:
    """Take the rights of others away where the path is ours to change and has none of some bits: /tmp stays usable."""
    try:
        found = path.stat()
        if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not found.st_mode & unless:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    except OSError:  # it is not there, or on a file system without rights
        return
