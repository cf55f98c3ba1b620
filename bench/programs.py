"""Run the program under measurement in a process tree of its own: a Celery worker, or one process that polls.

`python -m bench.programs` is that one process: it polls the sources of each line of its standard input, as
`aggregator pull` does, and prints a line when it has polled them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import yaml
from sqlalchemy import text

from aggregator.config.logging import configure_logging
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.services.dispatch import BATCH
from scheduler import SCHEDULE
from tests.processes import eventually
from worker import create_app, responding_workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from celery import Celery

ROOT = Path(__file__).parents[1]
LONGEST_STEP = 600.0  # seconds
_WAITING = text("SELECT count(*) FROM source WHERE asked IS NOT NULL")


class Program(Protocol):
    """A program that polls."""

    pid: int

    def request(self, ids: Sequence[int]) -> None:
        """Prepare for `poll`."""

    def poll(self, ids: Sequence[int]) -> None:
        """Poll the sources and wait until all are stored."""


class CeleryWorker:
    """The worker for feeds of `docker-compose.yml`, with its queues and options."""

    def __init__(self, container: Container, app: Celery, pid: int) -> None:
        self.pid = pid
        self._container = container
        self._app = app

    def request(self, ids: Sequence[int]) -> None:
        """Make the sources due."""
        with self._container.store.writing() as tx:
            tx.polling.schedule.ask(ids, self._container.clock())

    def poll(self, ids: Sequence[int]) -> None:
        """Send dispatches as often as the scheduler until every requested poll has ended."""
        del ids
        end, sent = time.monotonic() + LONGEST_STEP, 0.0
        interval = SCHEDULE["dispatch"]["schedule"]
        while self._is_polling():
            if time.monotonic() > end:
                raise RuntimeError(f"The worker did not poll all sources within {LONGEST_STEP:g} s.")
            if time.monotonic() - sent > interval:
                sent = time.monotonic()
                self._app.send_task("dispatch", queue="control", expires=interval)
            time.sleep(0.1)  # between two looks; more would be work of the database that is measured

    def _is_polling(self) -> bool:
        with self._container.store.engine.connect() as connection:
            return bool(connection.execute(_WAITING).scalar())


class OneProcess:
    """A process that polls alone, as `aggregator pull` and `aggregator run` do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._process = process

    def request(self, ids: Sequence[int]) -> None:
        """Do nothing: the process polls sources that are not due, too."""

    def poll(self, ids: Sequence[int]) -> None:
        """Poll the sources in batches of a worker's task."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        print(json.dumps(list(ids)), file=self._process.stdin, flush=True)
        if not self._process.stdout.readline():
            raise RuntimeError("The polling process ended.")


@contextmanager
def celery_worker(container: Container, environ: Mapping[str, str], folder: Path) -> Iterator[CeleryWorker]:
    """Run the worker until the block ends."""
    log = folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *worker_command()],
            cwd=ROOT,
            env={**os.environ, **environ, "AGGREGATOR_LOG_FORMAT": "json", "REMAP_SIGTERM": "SIGQUIT"},
            stdout=output,
            stderr=output,
        )
    try:
        eventually("the worker answers", lambda: process.poll() is not None or responding_workers(container))
        if process.returncode is not None:
            raise RuntimeError(f"The worker ended:\n{log.read_text(errors='replace')[-2000:]}")
        yield CeleryWorker(container, create_app(container, container.installation()), process.pid)
    finally:
        process.terminate()
        process.wait(60)


def worker_command() -> list[str]:
    """Return the command of the worker for feeds."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return list(services["worker-feeds"]["command"])


@contextmanager
def one_process(environ: Mapping[str, str]) -> Iterator[OneProcess]:
    """Run the polling process until the block ends."""
    command = [sys.executable, "-m", "bench.programs"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environ}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield OneProcess(process)
        finally:
            process.terminate()


def poll(container: Container, ids: Sequence[int]) -> None:
    """Poll in this process, in batches of a worker's task."""
    for start in range(0, len(ids), BATCH):
        container.polling.poll_now(ids[start : start + BATCH])


def main() -> None:
    configure_logging("error", "text")
    container = Container(Settings.from_environment())
    for line in sys.stdin:
        poll(container, json.loads(line))
        print("polled", flush=True)


if __name__ == "__main__":
    main()
