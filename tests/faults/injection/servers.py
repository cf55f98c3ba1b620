"""Run a Redis and a PostgreSQL that can be killed, stopped, filled up and failed over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import redis as redis_client

from tests import servers
from tests.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLACK = 65_536  # bytes that are written instead of reserved
DISK = 640  # megabytes of the file system of the database
MOST_CONNECTIONS = 60
_SETTINGS = {
    "max_connections": str(MOST_CONNECTIONS),
    "max_wal_size": "96MB",
    "min_wal_size": "32MB",
    "wal_keep_size": "64MB",
    "autovacuum": "on",
    "autovacuum_naptime": "15s",
}


def descendants(pid: int) -> list[int]:
    """Return the child processes of a process, and theirs."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in path.read_text(encoding="ascii").split():
                found += [int(child), *descendants(int(child))]
    return found


def send(pids: list[int], how: signal.Signals) -> None:
    """Send a signal to processes; some may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, how)


class Broker:
    """A Redis without persistence."""

    def __init__(self, folder: Path) -> None:
        self.port = servers.free_port()
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process; None if it has ended."""
        return self._server.pid if self._server is not None and self._server.poll() is None else None

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        if self.pid is None:
            program, _ = servers.redis_program()
            where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
            with (self._folder / "redis.log").open("ab") as log:
                self._server = subprocess.Popen([program, *where, "--save", ""], stdout=log)
        eventually("Redis answers", lambda: self.client().ping())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._server is not None:
            send([self._server.pid], signal.SIGCONT)
            self._server.send_signal(how)
            self._server.wait(20)

    def client(self) -> redis_client.Redis:
        """Return a client that asks it directly."""
        return redis_client.Redis(port=self.port, socket_timeout=3, socket_connect_timeout=3)


class Database:
    """A PostgreSQL on a small disk of its own where the system allows that; a failover replaces the node."""

    def __init__(self, node: servers.PostgresNode, *, small: bool) -> None:
        self.node = node
        self.small = small  # the disk can be filled

    def ensure(self) -> None:
        """Start the node unless it runs, as a supervisor does; a crashed one may leave processes that still end."""
        if self.node.pid is not None:
            eventually("PostgreSQL answers", self.ask)
            return

        def started() -> bool:
            with suppress(OSError):
                (self.node.data / "postmaster.pid").unlink()
            try:
                self.node.start()
            except RuntimeError:
                return False
            return True

        eventually("PostgreSQL starts", started)

    def ask(self, statement: str = "SELECT 1") -> list[tuple[object, ...]]:
        """Run a statement on it directly."""
        with self.connected() as connection:
            return list(connection.execute(statement.encode()).fetchall())

    def connected(self) -> psycopg.Connection[tuple[object, ...]]:
        """Open a connection to it directly."""
        return psycopg.connect(self.node.url.replace("+psycopg", ""), autocommit=True, connect_timeout=5)

    @contextmanager
    def filled_up(self) -> Iterator[None]:
        """Fill the disk until the end of the block."""
        ballast = self.node.folder / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                free = shutil.disk_usage(self.node.folder).free
                with suppress(OSError):  # the database writes meanwhile
                    os.posix_fallocate(file.fileno(), 0, max(free - _SLACK, _SLACK))
                file.seek(0, os.SEEK_END)
                with suppress(OSError):
                    while file.write(bytes(4096)):
                        pass
            yield
        finally:
            ballast.unlink(missing_ok=True)


@contextmanager
def database() -> Iterator[Database]:
    """Run a PostgreSQL on a disk of its own if possible."""
    folder = Path(tempfile.mkdtemp(prefix="aggregator-faults-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    options = ["-t", "tmpfs", "-o", f"size={DISK}m,mode=0755", "tmpfs", str(folder)]
    small = subprocess.run(["mount", *options], check=False, capture_output=True).returncode == 0
    try:
        with servers.postgresql_node(settings=_SETTINGS, within=folder) as (node, _):
            running = Database(node, small=small)
            try:
                yield running
            finally:
                if running.node.pid is not None:
                    send([running.node.pid, *descendants(running.node.pid)], signal.SIGCONT)
                running.node.stop(signal.SIGQUIT)
    finally:
        _remove(folder, mounted=small)


def _remove(folder: Path, *, mounted: bool) -> None:
    deadline = time.monotonic() + 10
    while mounted and subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode:
        if time.monotonic() > deadline:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
            break
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)
