"""How worker and scheduler live with a broker that is refused, hung or half-open: noticed in seconds, logged once.

Celery and kombu wait without end for a Redis that accepts connections and never answers, since no timeout is set.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog
from celery import beat
from celery.beat import SchedulingError
from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu.common import ignore_errors
from kombu.exceptions import OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery
    from kombu import Connection

_TIMEOUT = 3.0  # seconds for a connection or an answer; above the second for which Redis may hold back a BRPOP
_HEALTH = 3  # seconds that an answer may be overdue, and between two looks
_REPEAT = 300.0  # seconds between two lines about a broker that stays away

# What kombu's transport for Redis knows of these; others ignore them.
TRANSPORT: Mapping[str, Any] = {
    "socket_timeout": _TIMEOUT,
    "socket_connect_timeout": _TIMEOUT,
    "socket_keepalive": True,
    "health_check_interval": _HEALTH,  # drops a BRPOP without an answer after one second and twice this
}
# Sending: one new connection in place of a stale one; what fails then is sent again by the next tick.
PUBLISHING: Mapping[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
# Waiting for a broker: with growing pauses, but never so long that a tick is missed once it is back.
_WAITING: Mapping[str, Any] = {"max_retries": None, "interval_start": 1, "interval_step": 1, "interval_max": 5}

log = structlog.get_logger(__name__)


class Availability:
    """Logs one line when the broker goes away, one when it is back, and few between."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._logged = 0.0

    def away(self, reason: object) -> None:
        """Note a failure."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._logged < _REPEAT:
            return
        self._logged = now
        log.warning("broker is away", seconds=round(now - self._since), reason=str(reason))

    def back(self) -> None:
        """Note a success."""
        if self._since is not None:
            log.warning("broker is back", seconds=round(time.monotonic() - self._since))
            self._since = None


class Consumer(consumer.Consumer):
    """Celery's consumer; waits for its broker for as long as it takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self._broker = Availability()
        # Workers need not know of each other, and each of these talks to the broker while it is in trouble.
        quiet = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        kwargs["worker_options"] = {**(kwargs.get("worker_options") or {}), **quiet}
        super().__init__(*args, **kwargs)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, sooner or later."""
        connection = conn.ensure_connection(
            lambda problem, _: self._broker.away(problem), callback=maybe_shutdown, **_WAITING
        )
        self.first_connection_attempt = False
        self._broker.back()
        return connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Clean up after a connection that is lost."""
        self._broker.away(exc)
        super().on_connection_error_after_connected(exc)


class Scheduler(beat.Scheduler):
    """Celery's scheduler without a traceback for each task that can't be sent; its schedule is kept in memory."""

    def __init__(self, app: Celery, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self._broker = Availability()
        app.conf.task_publish_retry = False  # kombu would go on with the closed channel of a connection it replaced
        super().__init__(app, *args, **kwargs)

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
        connection = self.connection.ensure_connection(lambda problem, _: self._broker.away(problem), **_WAITING)
        self._broker.back()
        return connection
