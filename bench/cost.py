"""Measure the cost of work: wall time, CPU of this process and the database server, memory."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _OWN, _CHILDREN = 1, slice(11, 13), slice(13, 15)  # fields of /proc/PID/stat after the name


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
    """Run work and return its cost in this process, or another one, and in the database server."""
    server = _server(engine)
    program_cpu = time.process_time if pid is None else lambda: _own(pid)
    wall, program, database = time.perf_counter(), program_cpu(), _cpu(server)
    work()
    return Cost(time.perf_counter() - wall, program_cpu() - program, _cpu(server) - database)


def _own(pid: int) -> float:
    return sum(map(int, _stat(pid)[_OWN])) / _TICKS


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_of_process(pid: int) -> float:
    """Return the CPU seconds of a process."""
    return sum(map(int, _stat(pid)[_OWN])) / _TICKS


def cpu_of_children() -> float:
    """Return the CPU seconds of ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _server(engine: Engine) -> int | None:
    """Return the parent process of the database server; None for SQLite."""
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return int(_stat(backend)[_PARENT])


def _cpu(server: int | None) -> float:
    if server is None:
        return 0.0
    ended = sum(map(int, _stat(server)[_CHILDREN]))
    ticks = ended + sum(map(int, _stat(server)[_OWN]))
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = _stat(int(entry.name))
            except OSError:  # it has ended
                continue
            if int(fields[_PARENT]) == server:
                ticks += sum(map(int, fields[_OWN]))
    return ticks / _TICKS


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
