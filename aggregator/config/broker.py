"""Limit waits for the Celery broker, and log when it becomes unavailable and available.

Without timeouts, Celery and kombu wait forever for a Redis that accepts connections but never responds.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TIMEOUT = 3.0  # seconds for a connection or a response; longer than the second for which Redis may delay a BRPOP
_HEALTH = 3  # seconds that a response may be overdue, and between two checks
_REPEAT = 300.0  # seconds between two log lines about a broker that stays unavailable

# Options of kombu's Redis transport; other transports ignore them.
TRANSPORT: Mapping[str, Any] = {
    "socket_timeout": _TIMEOUT,
    "socket_connect_timeout": _TIMEOUT,
    "socket_keepalive": True,
    "health_check_interval": _HEALTH,  # a BRPOP without a response is dropped after one second plus twice this
}
# Sending: replace a stale connection once; the next tick repeats failed messages.
PUBLISHING: Mapping[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
# Connecting: exponential back-off, limited so that no tick is missed once the broker is back.
WAITING: Mapping[str, Any] = {"max_retries": None, "interval_start": 1, "interval_step": 1, "interval_max": 5}

log = structlog.get_logger(__name__)


def on_one_line(record: logging.LogRecord) -> bool:
    """Log a message that could not be acknowledged as a warning without a traceback; a filter of a logger.

    Celery does not lose such a message: Redis restores it after the visibility timeout.
    """
    if str(record.msg).startswith(("Couldn't ack", "Couldn't reject")):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def surviving(receive: Callable[[Any], None], consumer: Any) -> Callable[[Any], None]:  # noqa: ANN401  # no types
    """Return a function that receives messages as `receive` does, and drops a message that makes it fail.

    Celery ends the worker instead, and every worker that gets the message after it.
    """

    def receive_or_drop(message: Any) -> None:  # noqa: ANN401  # kombu's message, which has no types
        try:
            receive(message)
        except (*consumer.connection_errors, *consumer.channel_errors):
            raise
        except Exception as problem:  # noqa: BLE001  # whatever the message makes it raise
            log.error("message dropped", reason=f"{type(problem).__name__}: {problem}")  # noqa: TRY400
            message.reject_log_error(log, consumer.connection_errors)

    return receive_or_drop


def completed(clean_up: Callable[[Exception], None], problem: Exception) -> None:
    """Clean up after a lost connection; called again, `clean_up` continues with the next step.

    Kombu may fail to return the messages of a connection that it has just given up, which would end the worker. Redis
    restores them after the visibility timeout.
    """
    try:
        clean_up(problem)
    except AttributeError as failed:
        log.warning("messages not returned to the broker", reason=str(failed))
        clean_up(problem)


class Subscription:
    """A client of Redis's publish/subscribe that reads only what has arrived.

    Kombu reads without a limit when it believes that something has. It is wrong after it replaced a stale connection,
    and then the worker hung.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401  # redis-py's PubSub
        self._client = client

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return what the client has."""
        return getattr(self._client, name)

    def parse_response(self) -> Any:  # noqa: ANN401
        """Return the next message; None if there is none."""
        connection = self._client.connection
        if connection is None or not connection.can_read(timeout=0):
            return None
        return self._client.parse_response(block=False, timeout=_TIMEOUT)


def bound_subscription_reads() -> None:
    """Make kombu's Redis transport read from subscriptions with a limit."""
    from kombu.transport import redis

    transport: Any = redis.Channel  # whose method has no types
    receive_one = transport._receive_one  # noqa: SLF001  # no option does it
    if getattr(receive_one, "is_bounded", False):
        return

    def receive(channel: Any, client: Any) -> Any:  # noqa: ANN401
        return receive_one(channel, Subscription(client))

    receive.is_bounded = True  # type: ignore[attr-defined]
    transport._receive_one = receive  # noqa: SLF001


class Availability:
    """Logs a line when the broker becomes unavailable, a line when it is back, and few in between."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._logged = 0.0

    def away(self, reason: object) -> None:
        """Record a failure."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._logged < _REPEAT:
            return
        self._logged = now
        log.warning("broker is away", seconds=round(now - self._since), reason=str(reason))

    def back(self) -> None:
        """Record a success."""
        if self._since is not None:
            log.warning("broker is back", seconds=round(time.monotonic() - self._since))
            self._since = None
