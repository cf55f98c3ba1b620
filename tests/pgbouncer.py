"""Start PgBouncer in transaction mode for the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tests.servers import as_user, await_server, end, folder_for, free_port, listens, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

HOW = "No PgBouncer: its tests are skipped. On Debian: apt-get install pgbouncer"
_CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
ignore_startup_parameters = {ignored}
server_round_robin = 1
logfile = {folder}/log
pidfile = {folder}/pid
"""


def program() -> str | None:
    """Return the path of PgBouncer, or None."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(database_url: str, *, size: int = 5, ignored: str = "extra_float_digits") -> Iterator[str]:
    """Give the URL of the same database through PgBouncer.

    Args:
        database_url: the database itself.
        size: the number of sessions that all clients share.
        ignored: parameters that PgBouncer ignores instead of refusing the client.
    """
    url = make_url(database_url)
    path = program()
    if path is None:
        raise RuntimeError(HOW)
    own = free_port()
    with folder_for("pgbouncer") as folder:
        file = folder / "pgbouncer.ini"
        server_at = {"host": url.host, "port": url.port, "user": url.username}
        text = _CONFIGURATION.format(own=own, size=size, ignored=ignored, folder=folder, **server_at)
        file.write_text(text, encoding="ascii")
        user = as_user(unprivileged(folder))  # it refuses to run as root
        with (folder / "output").open("wb") as output:
            server = subprocess.Popen([path, file], stdout=output, stderr=output, cwd=folder, **user)
        try:
            await_server(lambda: listens(own), server, folder / "output")
            yield url.set(host="127.0.0.1", port=own).render_as_string(hide_password=False)
        finally:
            end(server, signal.SIGINT)
