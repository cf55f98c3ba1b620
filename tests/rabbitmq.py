"""Start RabbitMQ for the tests, or say why it can't be started.

`python -m tests.rabbitmq` (part of `make test-long`) installs Debian's RabbitMQ and PgBouncer when it runs as root on
Debian. The test's own broker is a child of the test run with a folder, a node name, a cookie and a port mapper of its
own, and all of its ports are on loopback.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import amqp

from tests.debian_packages import install, may_install
from tests.servers import end, folder_for, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 120.0  # seconds to start: Erlang loads hundreds of modules
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's own wrapper on the path changes the user
HOW = "No RabbitMQ: its tests are skipped. On Debian: apt-get install rabbitmq-server"
_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
distribution.listener.interface = 127.0.0.1
distribution.listener.port_range.min = {distribution}
distribution.listener.port_range.max = {distribution}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 10MB
log.console = false
log.file.level = warning
"""


def is_installed() -> bool:
    """Return whether there is a RabbitMQ to start."""
    return SERVER.exists() and shutil.which("epmd") is not None


class RabbitNode:
    """One RabbitMQ server, which can be stopped and started with its data."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        configuration = folder / "rabbitmq.conf"
        configuration.write_text(_CONFIGURATION.format(port=self.port, distribution=free_port()), encoding="ascii")
        cookie = folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16), encoding="ascii")
        cookie.chmod(0o400)
        self._environ = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # Two schedulers that don't busy-wait leave the processor to the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        (folder / "plugins").write_text("[].\n", encoding="ascii")

    def start(self) -> None:
        """Start the server and wait until a client can sign in."""
        if self._mapper is None:  # else Erlang would start one that outlives the tests
            self._mapper = subprocess.Popen([str(shutil.which("epmd"))], env=self._environ)
        with (self._folder / "output").open("ab") as output:
            self._server = subprocess.Popen(
                [SERVER], env=self._environ, cwd=self._folder, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._server.poll() is None:
            if self._answers():
                return
            time.sleep(0.2)
        raise RuntimeError((self._folder / "output").read_text(errors="replace")[-2000:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server; SIGKILL is a crash."""
        if self._server is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, how)  # the shell and the virtual machine
            end(self._server, how)
            self._server = None

    def close(self) -> None:
        """Stop the server and its port mapper."""
        self.stop(signal.SIGKILL)
        if self._mapper is not None:
            end(self._mapper, signal.SIGTERM)

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=2, read_timeout=2) as connection:
                connection.connect()
        except (OSError, amqp.AMQPError):
            return False
        return True


@contextmanager
def rabbitmq() -> Iterator[RabbitNode]:
    """Give a running RabbitMQ."""
    with folder_for("rabbitmq", in_memory=False) as folder:
        node = RabbitNode(folder)
        try:
            node.start()
            yield node
        finally:
            node.close()


def main() -> None:
    """Install the servers of the slow tests where that is allowed; else say how to get them."""
    folders = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [name for name in ("rabbitmq-server", "pgbouncer") if shutil.which(name, path=folders) is None]
    if missing and may_install():
        print(f"Installing {' and '.join(missing)} for the stack tests (once)", flush=True)
        install(*missing)
    if not is_installed():
        print(HOW, file=sys.stderr)


if __name__ == "__main__":
    main()
