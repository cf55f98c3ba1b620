"""Show that a long-running process works: a file that it replaces again and again, and systemd's watchdog.

A health check needs no more than the file's age, which costs milliseconds and asks neither the broker nor the database.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from aggregator.system import private_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

EVERY = 5.0  # seconds between heartbeats
OLDEST = 60  # seconds; an older file means that the process hangs or has ended
_SOONEST = 1.0  # seconds; sooner calls do nothing

log = structlog.get_logger(__name__)


class Heartbeat:
    """The heartbeat of this process, from its own event loop: a process that hangs has none."""

    def __init__(self, folder: Path, name: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = folder / f"{name}.alive"
        self._monotonic = monotonic
        self._last = float("-inf")
        self._failed = False

    def beat(self, state: str = "running") -> None:
        """Replace the file at most once a second; a folder that can't be written never stops the process."""
        now = self._monotonic()
        if now - self._last < _SOONEST:
            return
        self._last = now
        notify_watchdog()
        written = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            private_files.make_folder(self.path.parent)
            written.write_text(json.dumps({"pid": os.getpid(), "state": state}), encoding="ascii")
            written.replace(self.path)
            self._failed = False
        except OSError as problem:
            if not self._failed:
                log.warning("heartbeat not written", path=str(self.path), reason=problem.strerror)
            self._failed = True

    def end(self) -> None:
        """Remove the file of a process that stops as it should."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def notify_watchdog(environ: Mapping[str, str] = os.environ) -> None:
    """Notify systemd that this process works, if it was started with a watchdog."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(b"WATCHDOG=1", address)
