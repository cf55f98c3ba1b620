"""Test the heartbeats of real processes: they stop with a hang, not with the broker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aggregator.system.heartbeat import EVERY
from tests.processes import Processes, eventually
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, redis_url: str) -> Iterator[Processes]:
    environ = {"AGGREGATOR_DATABASE_URL": postgresql_url, "AGGREGATOR_BROKER_URL": redis_url}
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        yield stack


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


def _wait_for_replacement(path: Path) -> None:
    before = path.stat().st_ino
    eventually(f"{path.name} is replaced", lambda: path.stat().st_ino != before)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


@pytest.mark.slow
def test_a_hang_ends_the_heartbeat_and_a_stop_removes_it(stack: Processes, tmp_path: Path) -> None:
    worker, scheduler = stack.worker("one"), stack.scheduler()
    files = [tmp_path / "worker-one@test.alive", tmp_path / "scheduler.alive"]
    for file in files:
        eventually(f"{file.name} is there", file.exists)
        _wait_for_replacement(file)
    for process, file in zip((worker, scheduler), files, strict=True):
        os.kill(process.pid, signal.SIGSTOP)
        eventually("it hangs", lambda pid=process.pid: _is_stopped(pid))  # type: ignore[misc]
        eventually("its heartbeat is overdue", lambda file=file: _age(file) > EVERY + 2)  # type: ignore[misc]
        os.kill(process.pid, signal.SIGCONT)
        _wait_for_replacement(file)
    for name in ("one", "scheduler"):
        assert stack.terminate(name) == 0
    assert [file.name for file in files if file.exists()] == []


@pytest.mark.slow
def test_waiting_for_the_broker_is_no_hang(stack: Processes, tmp_path: Path) -> None:
    stack.environ = {**stack.environ, "AGGREGATOR_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"}
    stack.worker("one")
    stack.scheduler()
    for name in ("worker-one@test.alive", "scheduler.alive"):
        eventually(f"{name} is there", (tmp_path / name).exists)
        _wait_for_replacement(tmp_path / name)
    assert "waiting for the broker" in (tmp_path / "worker-one@test.alive").read_text(encoding="ascii")
