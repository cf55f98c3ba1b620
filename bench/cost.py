"""Measure the cost of work: wall time, CPU of process trees and of the database server, memory."""

from __future__ import annotations

import os
import resource
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN, _WITH_CHILDREN = 1, slice(11, 13), slice(11, 15)  # fields of /proc/PID/stat after the name


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds."""

    wall: float
    program: float  # CPU
    database: float  # CPU; 0 if it is part of the program

    @property
    def cpu(self) -> float:
        """Total CPU seconds."""
        return self.program + self.database


def measured(work: Callable[[], object], engine: Engine, pid: int | None = None) -> Cost:
    """Run work and return its cost in this process, or another one with its children, and in the database server."""
    server = _server(engine)
    program_cpu = time.process_time if pid is None else lambda: cpu_of_tree(pid)
    wall, program, database = time.perf_counter(), program_cpu(), _cpu(server)
    work()
    return Cost(time.perf_counter() - wall, program_cpu() - program, _cpu(server) - database)


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory_of_tree(pid: int) -> float:
    """Return the memory of a process and its descendants in MB, with shared pages counted once."""
    kilobytes = 0
    for process in _tree(pid):
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
        kilobytes += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
    return kilobytes / 1024


def cpu_of_process(pid: int) -> float:
    """Return the CPU seconds of a process."""
    return sum(map(int, _stat(pid)[_OWN])) / _TICKS


def cpu_of_tree(pid: int) -> float:
    """Return the CPU seconds of a process and its descendants, ended ones included."""
    ticks = 0
    for process in _tree(pid):
        try:
            ticks += sum(map(int, _stat(process)[_WITH_CHILDREN]))
        except OSError:  # it has ended, and its parent's times include it now
            continue
    return ticks / _TICKS


def cpu_of_children() -> float:
    """Return the CPU seconds of ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and its living descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                children[int(_stat(int(entry.name))[_PARENT])].append(int(entry.name))
            except OSError:  # it has ended
                continue

    def descend(parent: int) -> Iterator[int]:
        yield parent
        for child in children[parent]:
            yield from descend(child)

    return descend(pid)


def _server(engine: Engine) -> int | None:
    """Return the parent process of the database server; None for SQLite."""
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return int(_stat(backend)[_PARENT])


def _cpu(server: int | None) -> float:
    return 0.0 if server is None else cpu_of_tree(server)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
