"""`run` (all parts in one process) and `serve` (only the reader)."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import structlog

from aggregator.cli.context import FAILED
from aggregator.config.logging import configure_logging
from aggregator.config.observability import observing
from aggregator.config.settings import Settings
from aggregator.domain.errors import AggregatorError, SettingsError, SetupError
from aggregator.services.database_wait import await_database
from aggregator.system.garbage_collection import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import uvicorn
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from aggregator.cli.embedded import Embedded
    from aggregator.container import Container
    from aggregator.domain.networks import LegalTerms

_USUAL_PORT = 8080
_STOP_LIMIT = 4.0  # seconds for a graceful stop before the process exits
_MOST_OPEN = 65_536  # files and connections
_INTERRUPTED = 130  # exit code after Ctrl-C, by shell convention

log = structlog.get_logger(__name__)


@click.command()
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Polling threads.")
def run(threads: int) -> None:
    """Run everything in one process: workers, scheduler and reader."""
    settings = Settings.from_environment()
    configure_logging(settings.log_level, settings.log_format)
    run_everything(settings, threads=threads)


@click.command()
def serve() -> None:
    """Run only the reader; workers and the scheduler run elsewhere."""
    from aggregator.container import Container

    settings = Settings.from_environment()
    configure_logging(settings.log_level, settings.log_format)
    container = Container(settings)
    try:
        reader = _bound_reader(container)
        stop_at_signal(reader.stop_within_limit)
        log.info("listening", address=reader.address)
        with observing("reader"):
            reader.serve()
    finally:
        container.close()


def run_everything(
    settings: Settings, *, threads: int = 4, ready: Callable[[Container, Reader], None] | None = None
) -> None:
    """Run workers, scheduler and reader as threads of this process until a signal arrives.

    Args:
        settings: an SQLite database is migrated first; PostgreSQL must be up to date.
        threads: the number of concurrent polls.
        ready: called once all parts respond.

    Raises:
        WriterRunningError: another process polls into this SQLite database.
        SchemaError, StoreUnavailableError, SetupError: the message contains the remedy.
        AggregatorError: a part ended unexpectedly.
    """
    from aggregator.cli.embedded import Embedded
    from aggregator.cli.listen import start_listening
    from aggregator.config.process_lock import writer_lock
    from aggregator.container import Container
    from scheduler import SCHEDULE, SteadyScheduler

    container, stopping = Container(settings), threading.Event()
    with writer_lock(settings), observing("all"):
        _initialize(container)
        reader = _bound_reader(container)
        stop_at_signal(stopping.set)
        serving = _started_thread(reader)
        embedded = Embedded(container, SCHEDULE, SteadyScheduler, threads=threads)
        embedded.start()
        if container.push_listeners():
            start_listening(container)
        reader.await_start()
        log.info("running", address=reader.address)
        if ready is not None:
            ready(container, reader)
        while serving.is_alive() and embedded.is_alive() and not stopping.wait(1.0):
            pass
        is_requested = stopping.is_set()
        _stop(reader, embedded, serving, 0 if is_requested else FAILED)
    if not is_requested:
        raise AggregatorError("A part of the process ended unexpectedly; see the log, and start it again.")


def _stop(reader: Reader, embedded: Embedded, serving: threading.Thread, code: int) -> None:
    log.info("stopping")
    reader.stop_within_limit(code)
    embedded.stop()
    serving.join(1.0)
    log.info("stopped")


def _initialize(container: Container) -> None:
    """Create the secret key and migrate an embedded database."""
    container.settings.secret()  # created at the first start, so that signatures survive restarts
    if container.settings.embedded_database:
        container.migrate()
        container.reduce_content()


def _started_thread(reader: Reader) -> threading.Thread:
    serving = threading.Thread(target=reader.serve, name="reader", daemon=True)
    serving.start()
    return serving


def _bound_reader(container: Container) -> Reader:
    """Return a reader that can serve; wait for a database that doesn't respond yet."""
    await_database(container.replica or container.store, embedded=container.settings.embedded_database)
    reader = Reader(container)
    reader.bind()
    return reader


def _server(app: ASGIApp) -> uvicorn.Server:
    import uvicorn

    from aggregator.web.http_protocol import BoundedProtocol

    class Server(uvicorn.Server):
        """A server that leaves signal handling to this module, which stops other parts, too."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the app checks the proxy's address
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


class Reader:
    """The reader's HTTP server."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._server: uvicorn.Server | None = None
        self._app: FastAPI | None = None  # the reader's app, which has the live streams
        self._socket: socket.socket | None = None

    def bind(self) -> None:
        """Bind the socket early, so that an address in use gives a clear error at once.

        Raises:
            SetupError: the address can't be bound.
        """
        _allow_many_listeners()
        host, port = self._container.settings.listen
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=1024)
        except OSError as problem:
            reason = os.strerror(problem.errno) if problem.errno else str(problem)
            raise SetupError(
                f"The reader can't listen on {host}:{port}: {reason}. "
                "Stop the other process, or set AGGREGATOR_LISTEN to another address."
            ) from None
        self._app = self._create_app()
        self._server = _server(self._with_desk(self._app))
        settle()

    @property
    def address(self) -> str:
        """The URL of the reader, for a browser on this machine."""
        if self._socket is None:
            raise SettingsError("The reader has no address before it is bound.")
        host, port = self._socket.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{shown}:{port}"

    def serve(self) -> None:
        """Serve until stopped."""
        if self._server is None:
            raise SettingsError("The reader can't serve before it is bound.")
        self._server.run(sockets=[self._socket] if self._socket else None)

    def _create_app(self) -> FastAPI:
        # Imported here rather than in the serving thread: concurrent imports interfere with each other's warning
        # filters.
        from aggregator.reader.app import MetricsOptions, create_app
        from aggregator.reader.metrics.snapshot import FactReaders
        from aggregator.reader.visibility import Audience
        from aggregator.services.system_facts import SystemFactsReader

        settings = self._container.settings
        store = self._container.replica or self._container.store
        facts = SystemFactsReader(store, settings, self._container.clock)
        networks = settings.metrics_networks
        readers = FactReaders(facts.system, facts.broker, store.replica)
        return create_app(
            store,
            clock=self._container.clock,
            public_url=settings.public_url,
            timezone=settings.timezone,
            locale=settings.locale,
            trusted_proxies=settings.trusted_proxies,
            audience=Audience(consents=_consents(settings, lambda terms: terms.public_text_setting)),
            embeddable=_consents(settings, lambda terms: terms.embeddable_setting),
            cors_origins=settings.cors_origins,
            rate=settings.rate_limit,
            rate_store=settings.rate_store,
            configuration=self._container.configuration,
            fetch=self._container.fetched,
            metrics=None if networks is None else MetricsOptions(readers, networks),
        )

    def _with_desk(self, app: FastAPI) -> ASGIApp:
        """Mount the review desk next to the public app."""
        from aggregator.review.app import create_desk
        from aggregator.review.context import HOME
        from aggregator.review.entrance import SignInOptions
        from aggregator.web.app import Mounted

        settings = self._container.settings
        desk = create_desk(
            self._container.store,
            clock=self._container.clock,
            public_url=settings.public_url,
            timezone=settings.timezone,
            locale=settings.locale,
            trusted_proxies=settings.trusted_proxies,
            keys=self._container.secret_keys,
            pictures=app.state.pictures,
            probe=app.state.probe,
            sections=self._container.sections,
            sign_in=SignInOptions(settings.local_sign_in, self._container.sign_on, self._container.account_mail),
        )
        return Mounted(app, HOME, desk, prefix=urlsplit(settings.public_url or "").path)

    def await_start(self) -> None:
        """Wait until the server responds."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (self._server and self._server.started):
            time.sleep(0.02)

    def stop_within_limit(self, code: int = 0) -> None:
        """Request a stop, and exit the process if a thread still waits for the database after some seconds."""
        _exit_after(_STOP_LIMIT, code)
        self.stop()

    def stop(self) -> None:
        """Request a stop."""
        if self._server is not None:
            self._server.should_exit = True
        if self._app is not None:
            self._app.state.live.end()  # live streams would never end


def _consents(settings: Settings, name_of: Callable[[LegalTerms], str]) -> frozenset[str]:
    """Return the networks whose permission the operators have confirmed by a setting."""
    from aggregator.sources import kinds

    networks = (network for kind in kinds().values() for network in kind.networks)
    return frozenset(network.name for network in networks if (name := name_of(network.terms)) and settings.kinds[name])


def _allow_many_listeners() -> None:
    """Raise the limit of open files: each live stream keeps a connection, and 1024 is the usual limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = _MOST_OPEN if hard == resource.RLIM_INFINITY else min(_MOST_OPEN, hard)
    if soft != resource.RLIM_INFINITY and soft < raised:
        with suppress(ValueError, OSError):  # macOS reports a higher limit than it allows
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))


def free_address() -> str:
    """Return the default address on loopback, or one with a free port if it is in use."""
    for port in (_USUAL_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as probe:
                return f"127.0.0.1:{probe.getsockname()[1]}"
        except OSError:
            continue
    raise SetupError("There is no free port on 127.0.0.1.")


def stop_at_signal(stop: Callable[[], Any]) -> None:
    """Stop at the first SIGINT or SIGTERM; exit at the second."""
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if received:
            os._exit(_INTERRUPTED)
        received.append(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def _exit_after(seconds: float, code: int) -> None:
    """Exit the process if stopping takes longer; interrupted work is repeated after its lease expires."""

    def end() -> None:
        sys.stderr.flush()
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
