"""Run the whole stack with a proxy before each server: workers, scheduler, two readers, publishers and visitors."""

from __future__ import annotations

import struct
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psycopg

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.errors import AggregatorError
from aggregator.domain.moderation.decisions import DecisionAction
from tests import servers as test_servers
from tests.faults.injection.answers import Answers
from tests.faults.injection.deadly import DeadlySite
from tests.faults.injection.farm import Farm, Item
from tests.faults.injection.servers import Broker, Database, database, descendants
from tests.faults.tcp_proxy import TcpProxy
from tests.processes import Processes, eventually

LEASE = 20  # seconds
EVERY = 2
READERS = ("reader-1", "reader-2")
WORKERS = ("worker", "worker-api")
SCHEDULER = "scheduler"
_SHIM = Path(__file__).with_name("clock_shim.c")


class Stage:
    """The stack, its servers and the proxies between them."""

    def __init__(
        self, folder: Path, seed: int, *, feeds: int = 8, accounts: int = 3, every: int = EVERY, lease: int = LEASE
    ) -> None:
        self.folder = folder
        self.every = every  # seconds between two polls of a source
        self.lease = lease  # seconds
        self.farm = Farm(feeds, accounts, seed)
        self.deadly = DeadlySite()
        self.broker = Broker(folder)
        self.ports = {name: test_servers.free_port() for name in READERS}
        self.answers = Answers(self.farm, list(self.ports.values()))
        self.names = (*WORKERS, SCHEDULER, *READERS)
        self._stack = ExitStack()
        self._clock = folder / "clock"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._enter(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _enter(self, stack: ExitStack) -> None:
        self.database: Database = stack.enter_context(database())
        stack.callback(self.broker.stop)
        self.broker.start()
        port = self.database.node.port
        self.for_workers = stack.enter_context(TcpProxy.before("127.0.0.1", port))
        self.for_readers = stack.enter_context(TcpProxy.before("127.0.0.1", port))
        self.for_broker = stack.enter_context(TcpProxy.before("127.0.0.1", self.broker.port))
        self._undisturbed = stack.enter_context(TcpProxy.before("127.0.0.1", port))
        stack.enter_context(self.farm)
        stack.enter_context(self.deadly)
        self.set_clock(0)
        self.processes = stack.enter_context(Processes(self.folder, self._environ(self.for_workers)))
        quiet = {"AGGREGATOR_DATA_DIR": str(self.folder), "AGGREGATOR_LOG_LEVEL": "error"}
        operator = {**self._environ(self._undisturbed), **quiet}
        self.operator = Container(Settings.from_environment(operator))
        stack.callback(self.operator.close)
        self._follow()
        self._clock_shim()
        for name in self.names:
            self.start(name)
        eventually("the readers answer", lambda: all(map(self.is_up, READERS)))
        stack.enter_context(self.answers)
        self.farm.begin()

    def proxies(self) -> list[TcpProxy]:
        """Return all proxies before the database."""
        return [self.for_workers, self.for_readers, self._undisturbed]

    def start(self, name: str) -> None:
        """Start one of our processes, unless it runs; return once a worker or scheduler beats."""
        if self.processes.pid(name) is not None:
            return
        alive = self.folder / ("scheduler.alive" if name == SCHEDULER else f"worker-{name}@test.alive")
        alive.unlink(missing_ok=True)
        self._start(name)
        if name not in READERS:
            eventually(f"{name} is up", alive.exists)

    def _start(self, name: str) -> None:
        if name in READERS:
            url = self._database_url(self.for_readers)
            listen = f"127.0.0.1:{self.ports[name]}"
            self.processes.reader(name, AGGREGATOR_DATABASE_URL=url, AGGREGATOR_LISTEN=listen)
        elif name == SCHEDULER:
            self.processes.scheduler()
        elif name == "worker":
            self.processes.worker(name, queues="feeds,control")
        else:
            self.processes.worker(name, "--concurrency", "1", queues="api")

    def restart(self, name: str) -> None:
        """Restart a process as a supervisor does: what its main process left behind is killed."""
        with suppress(KeyError):
            self.processes.kill(name)
        self.start(name)

    def is_up(self, reader: str) -> bool:
        """Return whether a reader accepts connections."""
        self.processes.port = self.ports[reader]
        return bool(self.processes.get("/healthz"))

    def pid(self, name: str) -> int:
        """Return the id of one of our processes."""
        pid = self.processes.pid(name)
        if pid is None:
            raise RuntimeError(f"{name} has ended:\n{self.processes.log(name)[-3000:]}")
        return pid

    def children(self, name: str) -> list[int]:
        """Return the processes of a worker's pool."""
        return descendants(self.pid(name))

    def set_clock(self, ahead: int) -> None:
        """Set the wall clock of all our processes that many seconds ahead of the publishers'."""
        mode = "r+b" if self._clock.exists() else "wb"
        with self._clock.open(mode) as file:
            file.write(struct.pack("q", ahead))

    def has_clock(self) -> bool:
        """Return whether the clock of our processes can be set."""
        return "LD_PRELOAD" in self.processes.environ

    def remove(self, native_id: str) -> bool:
        """Remove an item: an editor hides it, or X says that it was deleted. Return whether that is certain."""
        try:
            if self.farm.is_post(native_id):
                self.operator.purge.post("x", native_id)
                return True
            with self.operator.store.writing() as tx:
                now = self.operator.clock()
                id_ = self._id_of(native_id)
                tx.moderation.decisions.decide({id_: None}, DecisionAction.HIDE, who="drill", reason="drill", now=now)
        except (AggregatorError, OSError, psycopg.Error):
            return False
        return True

    def _id_of(self, native_id: str) -> int:
        with self.database.connected() as connection:
            row = connection.execute("SELECT id FROM activity WHERE native_id = %s", (native_id,)).fetchone()
        if row is None:
            raise RuntimeError(f"{native_id} was shown and is not stored")
        return int(str(row[0]))

    def _environ(self, proxy: TcpProxy) -> dict[str, str]:
        return {
            "AGGREGATOR_DATABASE_URL": self._database_url(proxy),
            "AGGREGATOR_BROKER_URL": f"redis://127.0.0.1:{self.for_broker.port}/0",
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
            "AGGREGATOR_HOST_CONCURRENCY": "16",
            "AGGREGATOR_RATE_LIMIT": "off",
            "AGGREGATOR_LEASE": str(self.lease),
            "AGGREGATOR_POLLS_PER_MINUTE": "3000",
            "AGGREGATOR_X_BASE_URL": self.farm.upstream.url,
            "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
            "AGGREGATOR_X_PUBLIC_TEXT": "yes",
            "AGGREGATOR_SECRET_KEY": "k" * 40,
        }

    def _database_url(self, proxy: TcpProxy) -> str:
        return f"postgresql+psycopg://test@127.0.0.1:{proxy.port}/postgres"

    def _follow(self) -> None:
        listed = self.folder / "addresses.txt"
        listed.write_text("\n".join([*self.farm.addresses(), self.deadly.url]), encoding="utf-8")
        self.farm.items |= {entry.guid: Item(entry.guid, entry.title) for entry in self.deadly.feed.entries}
        for feed in self.farm.publisher.feeds.values():
            self.farm.publish_in(feed)
        self.processes.aggregator("migrate")
        self.processes.aggregator("source", "add", "--every", str(self.every), "--from", str(listed))

    def _clock_shim(self) -> None:
        library = self.folder / "clock.so"
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SHIM), "-ldl"]
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(command, check=True, capture_output=True)
            shim = {"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(self._clock)}
            self.processes.environ = {**self.processes.environ, **shim}
