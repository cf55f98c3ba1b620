"""The beat schedule: `celery -A scheduler beat`.

One stateless `dispatch` claims due sources; a second scheduler does no harm, since the claim is made in the database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from celery import beat
from celery.beat import SchedulingError
from celery.schedules import crontab
from kombu.common import ignore_errors
from kombu.exceptions import OperationalError

from aggregator.config.broker import WAITING, Availability
from aggregator.config.observability import start_observing, stop_observing
from aggregator.config.settings import Settings
from aggregator.system.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from celery import Celery
    from kombu import Connection

log = structlog.get_logger(__name__)

DISPATCH = 5.0  # seconds between dispatches of due sources
SEND_ALERTS = 60.0  # seconds between checks for alerts
SEND_DIGESTS = 600.0  # seconds between checks for daily summaries
MIGRATE = 4.0  # seconds between runs of backfills, each of which takes half of that
REFRESH_PROFILES = 15.0  # seconds between looks for accounts without a name
_TOLERANCE = timedelta(seconds=1)  # by which a clock may be adjusted

SCHEDULE: Mapping[str, Any] = {
    # A dispatch that could not be delivered before the next one is sent is worth nothing. The first one is sent at the
    # start, so that a restart costs no tick.
    "dispatch": {
        "task": "dispatch",
        "schedule": DISPATCH,
        "options": {"expires": DISPATCH, "queue": "control"},
        "last_run_at": datetime(2000, 1, 1, tzinfo=UTC),
    },
    # New accounts get their names and pictures together: soon, but not each by a request of its own.
    "refresh_profiles": {
        "task": "refresh_profiles",
        "schedule": REFRESH_PROFILES,
        "options": {"expires": REFRESH_PROFILES, "queue": "api"},
    },
    # The next sweep continues where one ends; a late one would only run beside the next.
    "compliance_sweep": {
        "task": "compliance_sweep",
        "schedule": crontab(minute="23"),
        "options": {"expires": 1800.0, "queue": "api"},
    },
    # Sources that stopped, and review queues that grow old.
    "send_alerts": {
        "task": "send_alerts",
        "schedule": SEND_ALERTS,
        "options": {"expires": SEND_ALERTS, "queue": "control"},
    },
    # Daily summaries; those that could not be sent are tried again.
    "send_digests": {
        "task": "send_digests",
        "schedule": SEND_DIGESTS,
        "options": {"expires": SEND_DIGESTS, "queue": "control"},
    },
    "migrate_in_background": {
        "task": "migrate_in_background",
        "schedule": MIGRATE,
        "options": {"expires": MIGRATE, "queue": "control"},
    },
    "cleanup": {"task": "cleanup", "schedule": crontab(minute="17"), "options": {"expires": 1800.0}},
}


class SteadyScheduler(beat.Scheduler):
    """Celery's scheduler, which would send nothing while it waits for the times of a clock that was set back."""

    _last: datetime | None = None  # the time of the last tick

    def tick(self, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401
        """Send a due task."""
        now = self.app.now()
        if self._last is not None and now < self._last - _TOLERANCE:
            log.warning("clock was set back", last_tick=self._last, now=now)
            for entry in self.schedule.values():
                entry.last_run_at = min(entry.last_run_at or now, now - timedelta(seconds=DISPATCH))
            self._heap = None  # computed again
        self._last = now
        delay: float = super().tick(*args, **kwargs)
        return delay


class Scheduler(SteadyScheduler):
    """A scheduler without a traceback for each task that can't be sent; its schedule is kept in memory."""

    folder: Path  # of the heartbeat

    def __init__(self, app: Celery, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self._broker = Availability()
        self.heartbeat = Heartbeat(self.folder, "scheduler")
        app.conf.task_publish_retry = False  # kombu would go on with the closed channel of a connection it replaced
        super().__init__(app, *args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401
        """Send a due task; beat, whether the broker responds or not."""
        delay = super().tick(*args, **kwargs)
        self.heartbeat.beat()
        return delay

    def close(self) -> None:
        """Stop, and remove the heartbeat."""
        super().close()
        self.heartbeat.end()
        stop_observing()

    def apply_entry(self, entry: Any, producer: Any = None) -> None:  # noqa: ANN401
        """Send a task, by a new connection where the present one fails; else it is sent when it is next due."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as problem:
            self._broker.away(problem.__context__)
            self._disconnect()
            self._apply_again(entry)
        else:
            self._broker.back()

    def _apply_again(self, entry: Any) -> None:  # noqa: ANN401
        try:
            self.apply_async(entry, producer=self.producer, advance=False)
        except SchedulingError as problem:
            self._disconnect()
            if isinstance(problem.__context__, OperationalError):
                self._broker.away(problem.__context__)
            else:
                log.exception("task not sent", task=entry.task)

    def _disconnect(self) -> None:
        self.__dict__.pop("producer", None)  # made again, with a new connection, when it is next used
        connection = self.__dict__.pop("connection", None)
        if connection is not None:
            ignore_errors(connection, connection.release)

    def _ensure_connected(self) -> Connection:
        connection = self.connection.ensure_connection(
            lambda problem, _: self._broker.away(problem),
            callback=lambda: self.heartbeat.beat("waiting for the broker"),
            **WAITING,
        )
        self._broker.back()
        return connection


def __getattr__(name: str) -> Celery:
    """Give `celery -A scheduler` its app: the worker's, with the schedule."""
    if name == "app":
        from worker import app

        app.conf.beat_schedule = dict(SCHEDULE)
        start_observing("scheduler")
        folder = Settings.from_environment().data_dir
        app.conf.beat_scheduler = type("Scheduler", (Scheduler,), {"folder": folder})
        return app
    raise AttributeError(name)
