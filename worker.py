"""The Celery app and its thin tasks: `celery -A worker worker -Q feeds,api,control`.

Tasks take ids, call the container and return nothing. All durable state is in the database: a lost, duplicate or late
message costs at most one lease of waiting.
"""

from __future__ import annotations

import gc
import logging
import sys
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import structlog
from celery import Celery, bootsteps, current_task, signals
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery.worker import consumer, state
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from aggregator.config.broker import (
    WAITING,
    Availability,
    bound_subscription_reads,
    celery_settings,
    completed,
    is_relevant,
    on_one_line,
    queue_arguments,
    queue_prefix,
    surviving,
)
from aggregator.config.broker_address import BrokerKind
from aggregator.config.logging import bind, configure_logging
from aggregator.config.observability import start_observing, stop_observing
from aggregator.config.process_lock import writer_lock
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.errors import AggregatorError, StoreUnavailableError
from aggregator.services.database_wait import await_database
from aggregator.services.queues import CONTROL, QUEUES, former_queues
from aggregator.system import tracing
from aggregator.system.heartbeat import EVERY, Heartbeat, notify_watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from celery import Task
    from kombu import Connection

    from aggregator.config.broker_address import BrokerAddress
    from aggregator.services.dispatch import Batch

SOFT_SHUTDOWN = 30.0  # seconds
# Task names of the last release, which its schedulers and messages may still use.
FORMER_TASKS = {
    "tick": "dispatch",
    "upkeep": "refresh_profiles",
    "sweep": "compliance_sweep",
    "attend": "send_alerts",
    "prune": "cleanup",
}
MIGRATING = 2.0  # seconds of a task that runs backfills
RELEASE_AGAIN = 2  # seconds between attempts to release leases while the database is unavailable
_WRONG_USAGE = 2  # exit code

log = structlog.get_logger(__name__)


def create_app(container: Container, installation: str = "") -> Celery:
    """Create the app; the container opens its database at the first task, after a fork.

    Args:
        container: the container of the tasks.
        installation: the name of the database, which separates installations on one broker.
    """
    settings = container.settings
    app = Celery("aggregator", broker=settings.broker.kombu_url, set_as_current=False)
    app.conf.update(_configuration(container, installation))
    app.steps["consumer"].add(Beating)
    _add_polling(app, container)
    _add_others(app, container)
    app.tasks.update({former: app.tasks[name] for former, name in FORMER_TASKS.items()})
    return app


def _add_polling(app: Celery, container: Container) -> None:
    @app.task(shared=False, name="dispatch")
    def dispatch() -> None:
        """Claim due sources and send their polls; the claim commits before anything is sent."""
        with _ending_early(container, "dispatch"):
            _send_polls(app, container, container.dispatcher.claim())

    @app.task(shared=False, name="poll")
    def poll(ids: list[int], token: str) -> None:
        """Poll one batch; unstored sources are released and still due."""
        with _ending_early(container, "poll", sources=len(ids)):
            try:
                container.polling.poll(ids, token)
            except StoreUnavailableError:
                _release_later(app, container, ids, token, ended=True)
                raise

    @app.task(shared=False, name="release", bind=True, max_retries=None)
    def release(self: Task[..., None], ids: list[int], token: str, ended: bool) -> None:  # JSON
        """Release the leases of a poll that stored nothing, as soon as the database responds."""
        with _ending_early(container, "release"):
            try:
                container.dispatcher.release(ids, token, ended=ended)
            except StoreUnavailableError as error:
                raise self.retry(exc=error, countdown=RELEASE_AGAIN) from error

    @signals.task_failure.connect(weak=False, sender=poll)
    def free(exception: BaseException, args: Sequence[Any] | None = None, **_: object) -> None:
        """Request the release of a killed poll's sources; runs in the main process, which has no database."""
        if isinstance(exception, WorkerLostError | TimeLimitExceeded) and args:
            _release_later(app, container, *args, ended=False)


def _release_later(app: Celery, container: Container, ids: Sequence[int], token: str, *, ended: bool) -> None:
    """Have any worker process release the leases when it can; the database may be unavailable now."""
    try:
        lease = container.settings.lease.total_seconds()
        app.send_task("release", (list(ids), token, ended), queue=CONTROL, expires=lease)
    except OperationalError as problem:  # the broker is unavailable, too: the leases will expire
        log.warning("leases not released", reason=str(problem))


def _send_polls(app: Celery, container: Container, batches: Sequence[Batch]) -> None:
    lease, sent = container.settings.lease.total_seconds(), 0
    try:
        for batch in batches:
            headers = {"traceparent": tracing.traceparent()}
            app.send_task("poll", (batch.ids, batch.token), queue=batch.queue, expires=lease, headers=headers)
            sent += 1
    except OperationalError as problem:  # the broker is unavailable; each further attempt would take seconds
        log.warning("polls not sent", batches=len(batches) - sent, reason=str(problem))
    finally:
        for unsent in batches[sent:]:  # the next dispatch tries again
            container.dispatcher.give_back(unsent)


def _add_others(app: Celery, container: Container) -> None:
    """Add the tasks without arguments. After an interruption, the next run of each continues."""

    def add(name: str, run: Callable[[Container], object]) -> None:
        @app.task(shared=False, name=name)
        def task() -> None:
            with _ending_early(container, name):
                run(container)

    add("refresh_profiles", lambda container: container.profiles.run())
    add("compliance_sweep", Container.sweep)
    add("send_alerts", lambda container: container.notifier.attend())
    add("send_digests", lambda container: container.digests.run())
    add("migrate_in_background", lambda container: container.background_migrations.run(MIGRATING))
    add("cleanup", lambda container: log.info("cleaned up", counts=container.cleanup.run(container.limits.begin)))


class Beating(bootsteps.StartStopStep):
    """Beats from the consumer's event loop; started again with each connection, which clears all timers."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, c: Any) -> None:  # noqa: ANN401  # the consumer
        """Beat now and every few seconds."""
        c.heartbeat.beat()
        c.timer.call_repeatedly(EVERY, c.heartbeat.beat)

    def shutdown(self, c: Any) -> None:  # noqa: ANN401
        """Remove the file."""
        c.heartbeat.end()


class Consumer(consumer.Consumer):
    """Celery's consumer, which waits for its broker without limit, and beats meanwhile."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc, valid-type]
        """The steps of a start without RabbitMQ's 28 queues for delays of years; a worker keeps short delays itself."""

        default_steps: ClassVar = [step for step in consumer.Consumer.Blueprint.default_steps if "delayed" not in step]

    folder: Path  # of the heartbeat

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        self._broker = Availability()
        bound_subscription_reads()
        # Workers don't need to know each other, and each of these steps calls the broker while it fails.
        quiet = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        kwargs["worker_options"] = {**(kwargs.get("worker_options") or {}), **quiet}
        super().__init__(*args, **kwargs)
        self.heartbeat = Heartbeat(self.folder, f"worker-{self.hostname}")

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, retrying without limit."""

        def waiting() -> None:
            state.maybe_shutdown()
            self.heartbeat.beat("waiting for the broker")

        away = self._broker.away
        connection = conn.ensure_connection(lambda problem, _: away(problem), callback=waiting, **WAITING)
        self.first_connection_attempt = False
        self._broker.back()
        return connection

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # noqa: ANN401
        """Return the function that receives messages; an unreadable message does not end the worker."""
        return surviving(super().create_task_handler(*args, **kwargs), self)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Clean up after a lost connection."""
        self._broker.away(exc)
        completed(super().on_connection_error_after_connected, exc)


@contextmanager
def _ending_early(container: Container, what: str, **fields: int) -> Iterator[None]:
    """Trace a task, and end it early at its time limit or because this process stops."""
    try:
        with tracing.span(what, getattr(current_task.request, "traceparent", None) or "", **fields):
            yield
    except SoftTimeLimitExceeded:
        log.warning("task reached its time limit", what=what, **fields)
    except CancelledError:
        log.info("task interrupted", what=what, **fields)
    except StoreUnavailableError:
        if not container.closed:  # its process may close the database of an embedded worker
            raise
        log.info("task interrupted", what=what, **fields)


def _configuration(container: Container, installation: str) -> dict[str, Any]:
    broker = container.settings.broker
    return celery_settings(broker, installation) | {
        # Sent by queue name only, without bindings in Redis that a FLUSHALL would delete.
        "task_queues": _queues(broker, installation),
        "task_default_queue": CONTROL,
        "task_time_limit": container.limits.hard,  # well below the lease: a killed task's sources are not polled twice
        "task_soft_time_limit": container.limits.soft,
        "worker_consumer": type("Consumer", (Consumer,), {"folder": container.settings.data_dir}),
        # Running requests may finish. Celery waits this long while a task runs; the container's grace is longer.
        "worker_soft_shutdown_timeout": min(SOFT_SHUTDOWN, container.limits.hard),
    }


def _queues(broker: BrokerAddress, installation: str) -> list[Queue]:
    """Return all queues; everything else knows them by their names without prefix."""
    names = [*QUEUES, *sorted(former_queues())]
    if broker.kind is not BrokerKind.AMQP:
        return [Queue(name) for name in names]
    prefix, arguments = queue_prefix(broker, installation), queue_arguments(broker)
    # The nameless exchange delivers by the queue's name, so that nothing must be bound.
    return [Queue(prefix + name, Exchange(""), prefix + name, alias=name, queue_arguments=arguments) for name in names]


def _consume_both_names(app: Celery) -> None:
    """Consume the former name of each selected queue as well, and the new name of each former one."""
    selected = set(app.amqp.queues.consume_from)
    for former, queue in former_queues().items():
        if selected & {former, queue.value}:
            for name in {former, queue.value} - selected:
                app.amqp.queues.select_add(app.amqp.queues[name])


@cache
def _separate_app() -> Celery:
    """Create the app of a separate worker or scheduler process, from the environment."""
    container = Container(_separate_settings())
    _connect_signals(container)
    return create_app(container, _installation(container))


def _separate_settings() -> Settings:
    try:
        settings = Settings.from_environment()
    except AggregatorError as problem:
        _refuse(str(problem))
    if settings.embedded_broker:
        _refuse(
            "AGGREGATOR_BROKER_URL is memory://, which passes messages only within one process: a separate worker or "
            "scheduler would never receive any. Set it to a redis:// or amqp:// address, or use 'aggregator run', "
            "which runs both in one process."
        )
    return settings


def _check_at_start(container: Container) -> None:
    """Take the writer's lock before a worker starts, and refuse a worker that doesn't fit the database."""
    settings = container.settings
    stack = ExitStack()  # the lock, until the process ends

    @signals.worker_init.connect(weak=False)
    def check_worker(sender: Any, **_: object) -> None:  # noqa: ANN401  # the worker, whose type lacks pool_cls
        try:
            stack.enter_context(writer_lock(settings))
        except AggregatorError as problem:
            _refuse(str(problem))
        finally:
            container.store.close()  # no connection may cross the fork
        container.preload()
        if "prefork" not in str(sender.pool_cls):
            start_observing("worker")
        gc.freeze()  # so that garbage collection in the children doesn't copy the memory that they share
        if settings.embedded_database and "prefork" in str(sender.pool_cls):
            _refuse(
                "The database is SQLite, which has one polling process: start this worker with '--pool threads', or "
                "use PostgreSQL (AGGREGATOR_DATABASE_URL)."
            )


def _connect_signals(container: Container) -> None:
    """Connect the start and end of a separate process to its log, lock and database."""
    _check_at_start(container)

    @signals.setup_logging.connect(weak=False)
    def set_up_logging(**_: object) -> None:
        configure_logging(container.settings.log_level, container.settings.log_format)
        logging.getLogger("celery.worker.request").addFilter(on_one_line)
        logging.getLogger("celery.app.base").addFilter(is_relevant)

    @signals.celeryd_after_setup.connect(weak=False)
    def consume_both_names(instance: Any, **_: object) -> None:  # noqa: ANN401  # the worker
        _consume_both_names(instance.app)

    @signals.task_prerun.connect(weak=False)
    def bind_task(task_id: str, **_: object) -> None:
        bind(task=task_id)

    @signals.worker_process_init.connect(weak=False)
    def observe(**_: object) -> None:
        start_observing("worker")

    @signals.worker_process_shutdown.connect(weak=False)
    @signals.worker_shutdown.connect(weak=False)
    def close(**_: object) -> None:
        container.close()
        stop_observing()


def _installation(container: Container) -> str:
    """Return the name of the installation; wait for a database that doesn't respond yet."""
    configure_logging(container.settings.log_level, container.settings.log_format)  # Celery does so only later
    try:
        embedded = container.settings.embedded_database
        await_database(container.store, embedded=embedded, meanwhile=notify_watchdog)
        return container.installation()
    except AggregatorError as problem:
        _refuse(str(problem))
    finally:
        container.store.close()  # no connection may cross a fork


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(f"aggregator: {reason}\n")
    raise SystemExit(_WRONG_USAGE)


def __getattr__(name: str) -> Celery:
    """Return the app for `celery -A worker`; importing this module alone reads no settings."""
    if name == "app":
        return _separate_app()
    raise AttributeError(name)


def responding_workers(container: Container) -> dict[str, list[str]]:
    """Return the queues of each worker that responds within a second, by the worker's name."""
    installation = container.installation()
    prefix = queue_prefix(container.settings.broker, installation)
    try:
        found = create_app(container, installation).control.inspect(timeout=1.0).active_queues() or {}
    except (OperationalError, OSError):
        return {}
    return {
        name: sorted(queue["name"].removeprefix(prefix) for queue in queues) for name, queues in sorted(found.items())
    }
