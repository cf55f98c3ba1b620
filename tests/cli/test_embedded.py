"""Test worker and scheduler as threads of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aggregator.cli.embedded import Embedded
from aggregator.config.settings import Settings
from aggregator.container import Container
from scheduler import SteadyScheduler
from tests.processes import Processes, eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.stack


def _settings(folder: Path) -> Settings:
    return Settings.from_environment({"AGGREGATOR_DATA_DIR": str(folder), "AGGREGATOR_LISTEN": "127.0.0.1:0"})


def test_nothing_is_written_into_the_working_directory(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with Processes(tmp_path, {}) as processes:
        processes.working_directory = folder
        processes.start("run", sys.executable, "-m", "aggregator", "run")
        eventually("it ticks", lambda: "ticking" in processes.aggregator("status", code=None).stdout)
        assert list(folder.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of the scheduler
def test_it_is_not_alive_when_the_scheduler_ended(tmp_path: Path) -> None:
    container = Container(_settings(tmp_path))
    container.migrate()
    embedded = Embedded(container, {"x": {"task": "dispatch", "schedule": "sometimes"}}, SteadyScheduler, threads=1)
    embedded.start()
    try:
        eventually("the scheduler has ended", lambda: not embedded.is_alive())
    finally:
        embedded.stop()


# In a process of its own: the reader's end is followed by that of its process.
_ENDING = """
from aggregator.cli.serve import run_everything
from aggregator.config.settings import Settings
run_everything(Settings.from_environment(), ready=lambda _, reader: reader.stop_within_limit())
"""


def test_the_process_ends_when_a_part_has_ended(tmp_path: Path) -> None:
    environ = {**os.environ, "AGGREGATOR_DATA_DIR": str(tmp_path), "AGGREGATOR_LISTEN": "127.0.0.1:0"}
    done = subprocess.run([sys.executable, "-c", _ENDING], check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 1
    assert "A part of the process ended unexpectedly" in done.stderr
