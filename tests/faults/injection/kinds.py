"""The kinds of fault: each is a context that begins it, and ends it as a supervisor or an operator does."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.injection import network_faults, process_faults, server_faults, source_faults
from tests.faults.injection.stage import READERS, SCHEDULER, WORKERS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.injection.stage import Stage

NOTICED = 10.0  # seconds in which a process must notice that a connection is dead


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    cause: Callable[[Stage, random.Random], AbstractContextManager[object]]
    away: bool = False  # the readers' database does not answer meanwhile
    readers: bool = False  # the readers that it names in brackets are disturbed themselves
    lasts: float | None = None  # seconds; None: as long as usual
    possible: Callable[[Stage], bool] = field(default=lambda _: True)


def all_kinds() -> list[Kind]:
    """Return all kinds of fault."""
    return [*_of_processes(), *_of_servers(), *_of_networks(), *_of_sources()]


def _of_processes() -> Iterator[Kind]:
    for name in (*WORKERS, SCHEDULER, *READERS):
        reader = name in READERS
        yield Kind(f"{name}: kill -9", process_faults.killed(name), readers=reader)
        yield Kind(f"{name}: SIGSTOP", process_faults.stopped(name), readers=reader)
        yield Kind(f"{name}: restart", process_faults.restarted(name), readers=reader, lasts=0)
    for name in WORKERS:
        yield Kind(f"{name} child: kill -9", process_faults.child_killed(name), lasts=0)
        yield Kind(f"{name} child: SIGSTOP", process_faults.child_stopped(name))
    yield Kind("clock: ahead", process_faults.clock_ahead, possible=lambda stage: stage.has_clock())
    yield Kind("clock: behind", process_faults.clock_behind, possible=lambda stage: stage.has_clock())


def _of_servers() -> Iterator[Kind]:
    yield Kind("redis: kill -9", server_faults.broker_ended(signal.SIGKILL))
    yield Kind("redis: SIGSTOP", server_faults.broker_stopped)
    yield Kind("redis: restart", server_faults.broker_ended(signal.SIGTERM), lasts=0)
    yield Kind("redis: emptied", server_faults.broker_emptied, lasts=0)
    yield Kind("postgresql: kill -9", server_faults.database_killed, away=True)
    yield Kind("postgresql backend: kill -9", server_faults.backend_killed, away=True, lasts=0)
    yield Kind("postgresql: SIGSTOP", server_faults.database_stopped, away=True)
    yield Kind("postgresql: restart", server_faults.database_restarted, away=True, lasts=0)
    yield Kind("postgresql: failover, read-only", server_faults.failed_over, away=True)
    yield Kind("postgresql: read-only", server_faults.read_only, away=True)
    yield Kind("postgresql: disk full", server_faults.disk_full, away=True, possible=lambda stage: stage.database.small)
    yield Kind("postgresql: no connection left", server_faults.connections_used_up, away=True)
    yield Kind("postgresql: pool exhausted", server_faults.tables_locked, away=True)


def _of_networks() -> Iterator[Kind]:
    for where, away in (("workers to postgresql", False), ("readers to postgresql", True), ("all to redis", False)):
        for how in ("refused", "hung", "reset", "slow", "cut", "half-dead", "stalled"):
            cause = network_faults.broken(where, how)
            lasts = {"reset": 0.0, "cut": 0.0, "half-dead": NOTICED}.get(how)
            yield Kind(f"{where}: {how}", cause, away=away, lasts=lasts)


def _of_sources() -> Iterator[Kind]:
    yield Kind("source: kills its child", source_faults.deadly_source, lasts=0)
    yield Kind("broker: poison messages", source_faults.poisoned, lasts=0)
    yield Kind("reader: deaf listeners", source_faults.deaf_listeners)
