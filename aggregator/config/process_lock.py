"""Let one process at a time poll on SQLite."""

from __future__ import annotations

import fcntl
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from aggregator.domain.errors import (
    SetupError,
    WriterRunningError,
)
from aggregator.system import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.config.settings import Settings


@contextmanager
def writer_lock(settings: Settings) -> Iterator[None]:
    """Hold the lock of the only writing process of an SQLite database; PostgreSQL needs no lock.

    Raises:
        WriterRunningError: another process holds it.
    """
    if not settings.embedded_database:
        yield
        return
    path = settings.data_dir / "writer.lock"
    with ExitStack() as locks:
        try:
            private_files.make_folder(settings.data_dir)
            private_files.tighten_folder(settings.data_dir)
            file = locks.enter_context(open(path, "a", opener=private_files.opener))  # Path.open has no opener
        except OSError as problem:
            raise SetupError(
                f"The folder {settings.data_dir} can't be written: {problem.strerror}. Make it writable, or set "
                "AGGREGATOR_DATA_DIR to another one."
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WriterRunningError(
                f"Another process already polls into this SQLite database ({path} is locked). SQLite has one "
                "polling process; stop the other one, or use PostgreSQL (AGGREGATOR_DATABASE_URL)."
            ) from None
        yield
