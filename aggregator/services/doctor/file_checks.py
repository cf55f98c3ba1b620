"""Check files, their modes, and space on disks."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator.domain.errors import ConfigurationError
from aggregator.domain.monitoring.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.doctor.examination import Subject

_READABLE = stat.S_IRGRP | stat.S_IROTH
_MANAGED = ("/run/", "/var/run/")  # secrets of containers and of systemd, whose modes are not ours
_LEAST_SPACE = 500_000_000  # bytes
_LEAST_FILES = 4096


def check_portal(subject: Subject) -> Iterator[Finding]:
    """Check the files of the portal's folder."""
    try:
        subject.check_portal()
    except ConfigurationError as problem:
        yield error("portal-invalid", str(problem), "Correct the file in AGGREGATOR_CONFIG_DIR.")


def check_folders(subject: Subject) -> Iterator[Finding]:
    """Check that the data folder and the folder for temporary files can be written, and have space."""
    settings = subject.settings
    folder = _existing(settings.data_dir)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield error(
            "data-dir-unwritable",
            f"{settings.data_dir} can't be written.",
            "Make it writable for the user of the processes, or set AGGREGATOR_DATA_DIR to another folder.",
        )
        folder = folder.parent
    for place in dict.fromkeys((folder, Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free
        if free < _LEAST_SPACE:
            yield error(
                "disk-full", f"Only {free // 1_000_000} MB are free at {place}.", "Free space, or use a larger disk."
            )
    yield from _check_limit()


def check_modes(subject: Subject) -> Iterator[Finding]:
    """Check that other users can't read secrets and the embedded database."""
    settings = subject.settings
    for name, path in subject.environ.items():
        if name.startswith("AGGREGATOR_") and name.endswith("_FILE") and not path.startswith(_MANAGED):
            yield from _check_private("secret-file-readable", Path(path))
    if settings.secret_key is None:
        yield from _check_private("secret-key-readable", settings.data_dir / "secret-key")
    if settings.embedded_database:
        yield from _check_private("database-readable", Path(subject.store.engine.url.database or ""))


def _check_private(code: str, path: Path) -> Iterator[Finding]:
    """Yield a finding if others can read a file and reach it."""
    if not path.is_file() or not path.stat().st_mode & _READABLE:
        return
    folders = path.resolve().parents
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in folders):
        yield error(code, f"Other users of this machine can read {path}.", f"Run: chmod 600 {path}")


def _check_limit() -> Iterator[Finding]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < _LEAST_FILES:
        yield warning(
            "open-files-limited",
            f"A process may open {hard} files, which limits the visitors with live updates.",
            "Raise the limit (systemd: LimitNOFILE=65536).",
        )


def _existing(path: Path) -> Path:
    """Return a folder, or the nearest of its parents that exists."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
