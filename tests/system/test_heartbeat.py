"""Test the heartbeat: replaced atomically, and never a reason to stop."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

from aggregator.system.heartbeat import Heartbeat, notify_watchdog

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_file_is_replaced_at_most_once_a_second(tmp_path: Path) -> None:
    times = iter([0.0, 0.5, 2.0])
    heartbeat = Heartbeat(tmp_path / "new", "worker-a@b", monotonic=lambda: next(times))
    heartbeat.beat()
    first = heartbeat.path.stat()
    heartbeat.beat("waiting")
    assert heartbeat.path.stat().st_ino == first.st_ino
    heartbeat.beat("waiting")
    assert heartbeat.path.stat().st_ino != first.st_ino  # another file took its place
    assert json.loads(heartbeat.path.read_text(encoding="ascii")) == {"pid": os.getpid(), "state": "waiting"}
    assert [path.name for path in heartbeat.path.parent.iterdir()] == ["worker-a@b.alive"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    Heartbeat(tmp_path / "file", "scheduler").beat()


def test_a_stop_removes_the_file(tmp_path: Path) -> None:
    heartbeat = Heartbeat(tmp_path, "scheduler")
    heartbeat.end()
    heartbeat.beat()
    heartbeat.end()
    assert list(tmp_path.iterdir()) == []


def test_systemd_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address)
        channel.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        Heartbeat(tmp_path, "scheduler").beat()
        assert channel.recv(100) == b"WATCHDOG=1"
    notify_watchdog({"NOTIFY_SOCKET": address})  # systemd is away
    notify_watchdog({})
