"""Configure Celery for each kind of broker, limit waits for it, and log when it becomes unavailable and available.

Without timeouts, Celery and kombu wait forever for a server that accepts connections but never responds.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.config.broker_address import BrokerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aggregator.config.broker_address import BrokerAddress

VISIBILITY = 600  # seconds after which Redis delivers a message again that was not acknowledged
_TIMEOUT = 3.0  # seconds for a connection or a response; longer than the second for which Redis may delay a BRPOP
_HEALTH = 3  # seconds that a response may be overdue, and between two checks
_REPEAT = 300.0  # seconds between two log lines about a broker that stays unavailable

_HEARTBEAT = 10  # seconds between two signs of life of RabbitMQ; a worker reconnects after two without
# Of a message that ends each worker that receives it. RabbitMQ 4 has this limit itself, version 3 none.
_DELIVERIES = 20
# Options of kombu's Redis transport.
REDIS_TRANSPORT: Mapping[str, Any] = {
    "socket_timeout": _TIMEOUT,
    "socket_connect_timeout": _TIMEOUT,
    "socket_keepalive": True,
    "health_check_interval": _HEALTH,  # a BRPOP without a response is dropped after one second plus twice this
}
# Options of py-amqp. Without confirmation, a message that RabbitMQ refuses would be lost without an error.
AMQP_TRANSPORT: Mapping[str, Any] = {
    "confirm_publish": True,
    "connect_timeout": _TIMEOUT,
    "read_timeout": _TIMEOUT,
    "write_timeout": _TIMEOUT,
}
# Celery's settings for every broker.
_SETTINGS: Mapping[str, Any] = {
    "task_create_missing_queues": False,  # a misspelled queue is an error instead of a queue without consumers
    "task_serializer": "json",
    "accept_content": ["json"],  # never pickle: a message must not run code
    "task_ignore_result": True,  # the results of polls are in the database
    "task_acks_late": True,  # safe because tasks are idempotent; a killed worker's message is not lost
    "worker_prefetch_multiplier": 1,  # a waiting poll goes to the first free worker
    "worker_cancel_long_running_tasks_on_connection_loss": True,  # late acks can't be sent on a new connection
    "worker_hijack_root_logger": False,  # our log format is kept
    "worker_redirect_stdouts": False,
    "worker_max_tasks_per_child": 500,  # native parsers leak some memory
    "worker_max_memory_per_child": 400_000,  # kilobytes
    "timezone": "UTC",
    "enable_utc": True,
}
# Sending: replace a stale connection once; the next tick repeats failed messages.
PUBLISHING: Mapping[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
# Connecting: exponential back-off, limited so that no tick is missed once the broker is back.
WAITING: Mapping[str, Any] = {"max_retries": None, "interval_start": 1, "interval_step": 1, "interval_max": 5}

log = structlog.get_logger(__name__)


def key_prefix(installation: str) -> str:
    """Return the prefix of all keys of an installation; other programs may use the same Redis database."""
    return f"aggregator:{installation}:" if installation else ""


def queue_prefix(broker: BrokerAddress, installation: str) -> str:
    """Return the prefix of the names of queues: RabbitMQ knows no prefix of keys."""
    return key_prefix(installation) if broker.kind is BrokerKind.AMQP else ""


def queue_arguments(broker: BrokerAddress) -> dict[str, Any] | None:
    """Return the arguments of a queue: replicated and written to disk on RabbitMQ."""
    if broker.kind is not BrokerKind.AMQP:
        return None
    return {"x-queue-type": "quorum", "x-delivery-limit": _DELIVERIES}


def celery_settings(broker: BrokerAddress, installation: str) -> dict[str, Any]:
    """Return Celery's settings for a broker.

    Args:
        broker: its address.
        installation: the name of the database, which separates installations that share a broker.
    """
    settings: dict[str, Any] = {**_SETTINGS, "task_publish_retry_policy": dict(PUBLISHING)}
    if broker.kind is BrokerKind.AMQP:
        return settings | {
            "broker_transport_options": dict(AMQP_TRANSPORT),
            "broker_heartbeat": _HEARTBEAT,
            "broker_use_ssl": broker.kombu_ssl,
            "task_default_queue_type": "quorum",
            "worker_detect_quorum_queues": True,  # which know no global limit of unacknowledged messages
            "control_exchange": f"{key_prefix(installation)}control",  # else all workers of a host answer `inspect`
        }
    # Longer than a task and its wait, or messages are delivered twice.
    transport: dict[str, Any] = {**REDIS_TRANSPORT, "visibility_timeout": VISIBILITY}
    if installation:
        transport["global_keyprefix"] = key_prefix(installation)
    if broker.kind is BrokerKind.SENTINEL:
        sentinels = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT, **broker.sentinel_options}
        transport |= {"master_name": broker.service, "sentinel_kwargs": sentinels}
    return settings | {
        "broker_transport_options": transport,
        "broker_use_ssl": broker.kombu_ssl,
        "visibility_timeout": VISIBILITY,
    }


def on_one_line(record: logging.LogRecord) -> bool:
    """Log a message that could not be acknowledged as a warning without a traceback; a filter of a logger.

    Celery does not lose such a message: Redis restores it after the visibility timeout, RabbitMQ at once.
    """
    if str(record.msg).startswith(("Couldn't ack", "Couldn't reject")):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def is_relevant(record: logging.LogRecord) -> bool:
    """Drop a warning at each delayed message on RabbitMQ; a filter of a logger.

    The worker keeps the message until it is due: seconds, while the database is away.
    """
    return not str(record.msg).startswith("Direct exchanges are not supported")


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
