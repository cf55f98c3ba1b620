"""Collect the answers that visitors get."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.injection.farm import Farm

SETTLED = 5.0  # seconds in which a reader that is not disturbed must have noticed a removal


@dataclass(frozen=True)
class Answer:
    """An answer of a reader."""

    began: float
    port: int
    cached: bool
    status: int
    seconds: float


class Answers:
    """Runs the visitors, keeps their answers, and notes which items each reader has shown."""

    def __init__(self, farm: Farm, ports: Sequence[int]) -> None:
        self.violations: list[str] = []
        self.newest = dict.fromkeys(ports, 0.0)  # when the newest item that each reader has shown was published
        self.disturbed: dict[int, float] = dict.fromkeys(ports, float("inf"))  # until then, removals may be unknown
        self._farm = farm
        self._ports = ports
        self._kept: list[Answer] = []
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.injection.visitor", *map(str, self._ports)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._thread.join(10)
            with self._process:  # closes its output
                pass

    def take(self) -> list[Answer]:
        """Return the answers since the last call."""
        with self._lock:
            taken, self._kept = self._kept, []
        return taken

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            began, port, cached, status, seconds, ids = json.loads(line)
            with self._lock:
                self._kept.append(Answer(began, port, cached, status, seconds))
            if ids:
                self._look(began, port, ids)

    def _look(self, began: float, port: int, ids: Sequence[str]) -> None:
        if len(ids) != len(set(ids)):
            self.violations.append(f"a page of {port} shows an item twice")
        for native_id in ids:
            item = self._farm.items.get(native_id)
            if item is None:
                self.violations.append(f"{port} shows {native_id}, which nobody has published")
                continue
            item.shown = True
            self.newest[port] = max(self.newest[port], item.published)
            until = None if item.removed is None else max(item.removed, self.disturbed[port]) + SETTLED
            if until is not None and began > until:
                self.violations.append(f"{port} shows {native_id}, removed {began - until + SETTLED:.0f} s before")
