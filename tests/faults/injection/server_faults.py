"""Faults of PostgreSQL and Redis."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg

from tests import servers
from tests.faults.injection.servers import MOST_CONNECTIONS, descendants, send
from tests.processes import eventually

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.injection.stage import Stage

    Cause = Callable[[Stage, random.Random], AbstractContextManager[None]]


def broker_ended(how: signal.Signals) -> Cause:
    """End Redis by a signal; it comes back empty."""

    @contextmanager
    def cause(stage: Stage, _: random.Random) -> Iterator[None]:
        stage.broker.stop(how)
        yield
        stage.broker.start()

    return cause


@contextmanager
def broker_stopped(stage: Stage, _: random.Random) -> Iterator[None]:
    """Stop Redis, which keeps accepting connections."""
    pids = [stage.broker.pid or 0]
    send(pids, signal.SIGSTOP)
    yield
    send(pids, signal.SIGCONT)


@contextmanager
def broker_emptied(stage: Stage, _: random.Random) -> Iterator[None]:
    """Delete everything in Redis."""
    stage.broker.client().flushall()
    yield


@contextmanager
def database_killed(stage: Stage, _: random.Random) -> Iterator[None]:
    """Kill PostgreSQL's main process; the others end by themselves."""
    send([stage.database.node.pid or 0], signal.SIGKILL)
    yield
    stage.database.ensure()


@contextmanager
def backend_killed(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Kill the process of one connection, after which PostgreSQL ends all others and recovers."""
    rows = stage.database.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'aggregator'")
    if rows:
        send([int(str(chance.choice(rows)[0]))], signal.SIGKILL)
    yield
    stage.database.ensure()


@contextmanager
def database_stopped(stage: Stage, _: random.Random) -> Iterator[None]:
    """Stop all processes of PostgreSQL."""
    pid = stage.database.node.pid or 0
    pids = [pid, *descendants(pid)]
    send(pids, signal.SIGSTOP)
    yield
    send(pids, signal.SIGCONT)
    stage.database.ensure()


@contextmanager
def database_restarted(stage: Stage, _: random.Random) -> Iterator[None]:
    """Restart PostgreSQL in order."""
    stage.database.node.stop()
    yield
    stage.database.ensure()


@contextmanager
def failed_over(stage: Stage, _: random.Random) -> Iterator[None]:
    """Fail over to a replica that has everything, and that is promoted only in the end."""
    old = stage.database.node
    new = old.copy_running_as_standby(servers.free_port())
    new.start()
    for proxy in stage.proxies():
        proxy.refuse()
    written = stage.database.ask("SELECT pg_current_wal_lsn()::text")[0][0]
    url = new.url.replace("+psycopg", "")

    def has_everything() -> bool:
        with psycopg.connect(url, connect_timeout=5) as connection:
            statement = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            row = connection.execute(statement, (written,)).fetchone()
        return bool(row and row[0])

    eventually("the replica has everything", has_everything)
    old.stop(signal.SIGQUIT)
    stage.database.node = new
    for proxy in stage.proxies():
        proxy.target = ("127.0.0.1", new.port)
        proxy.restore()
    yield
    new.promote()
    old.remove()


@contextmanager
def read_only(stage: Stage, _: random.Random) -> Iterator[None]:
    """Make the database read-only, as managed services do with a full one."""
    _set(stage, "default_transaction_read_only", "on")
    yield
    _set(stage, "default_transaction_read_only", "off")


def _set(stage: Stage, name: str, value: str) -> None:
    with stage.database.connected() as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def disk_full(stage: Stage, _: random.Random) -> Iterator[None]:
    """Fill the disk of the database."""
    with stage.database.filled_up():
        yield
    stage.database.ensure()


@contextmanager
def connections_used_up(stage: Stage, _: random.Random) -> Iterator[None]:
    """Take all connections of the database, those that are in use now as soon as they end."""
    with ExitStack() as stack:
        with suppress(psycopg.OperationalError):
            for _number in range(MOST_CONNECTIONS):
                stack.enter_context(stage.database.connected())
        with suppress(psycopg.Error):
            for proxy in (stage.for_workers, stage.for_readers):
                proxy.reset()
            for _number in range(MOST_CONNECTIONS):
                stack.enter_context(stage.database.connected())
        yield


@contextmanager
def tables_locked(stage: Stage, _: random.Random) -> Iterator[None]:
    """Lock a table that every request reads, so that requests wait until no pooled connection is left."""
    with stage.database.connected() as connection:
        connection.autocommit = False
        locked = False
        while not locked:
            try:
                connection.execute("LOCK TABLE activity, source IN ACCESS EXCLUSIVE MODE")
                locked = True
            except psycopg.errors.DeadlockDetected:  # a poll holds one of the tables and needs the other
                connection.rollback()
        yield
        with suppress(psycopg.Error):
            connection.rollback()
