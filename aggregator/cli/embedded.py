"""Run worker and scheduler as threads of one process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from celery import beat
from celery.worker import WorkController, state

from worker import create_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.container import Container

_STOPPING = 0.5  # seconds for each thread to stop


class Embedded:
    """Worker and beat as threads of this process, on `memory://`, with the same tasks and schedule."""

    def __init__(
        self, container: Container, schedule: Mapping[str, Any], scheduler: type[beat.Scheduler], *, threads: int = 4
    ) -> None:
        self._container = container
        self._app = create_app(container)
        self._app.set_default()  # for the pool's threads, which look up tasks there
        self._app.conf.beat_schedule = dict(schedule)
        self._app.conf.beat_max_loop_interval = 0.5  # seconds between the beat's checks whether to stop
        self._worker = WorkController(
            app=self._app,
            pool_cls="threads",
            concurrency=threads,
            hostname="embedded",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        # In memory: due times are in the database, so the beat has no state. Celery's own scheduler writes a file into
        # the working directory, where a container may write nothing.
        self._beat = beat.Service(self._app, scheduler_cls=scheduler)
        self._threads = [
            threading.Thread(target=self._worker.start, name="worker", daemon=True),
            threading.Thread(target=self._beat.start, name="beat", daemon=True),
        ]

    def start(self) -> None:
        """Start both threads."""
        state.should_stop = None
        for thread in self._threads:
            thread.start()

    def is_alive(self) -> bool:
        """Return whether both threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop both threads and cancel running polls.

        Celery's worker checks only every two seconds whether it should stop. Not waiting loses nothing: its threads end
        with the process, and leased sources are polled again after their lease.
        """
        self._beat.stop()
        state.should_stop = 0  # type: ignore[assignment]  # an exit code, as Celery itself sets it
        self._container.close()
        for thread in self._threads:
            thread.join(_STOPPING)
