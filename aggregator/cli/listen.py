"""`listen`: receive pushed events, next to workers that poll."""

from __future__ import annotations

from concurrent.futures import CancelledError
from threading import Thread
from typing import TYPE_CHECKING

import click

from aggregator.cli.serve import stop_at_signal
from aggregator.config.logging import configure_logging
from aggregator.config.observability import observing
from aggregator.config.settings import Settings
from aggregator.domain.errors import SetupError
from aggregator.services.database_wait import await_database
from aggregator.system.garbage_collection import settle

if TYPE_CHECKING:
    from aggregator.container import Container


@click.command()
@click.option("--check", is_flag=True, help="Print nothing; exit with 0 if every network that pushes is listened to.")
def listen(check: bool) -> None:
    """Receive new and deleted posts that networks push.

    Run it next to workers; 'aggregator run' includes it. Several processes may run it: one listens, the others take
    over when it ends. A setting of each network enables it.
    """
    from aggregator.container import Container

    settings = Settings.from_environment()
    configure_logging(settings.log_level, settings.log_format)
    container = Container(settings)
    try:
        if not container.push_listeners():
            raise SetupError(f"No network pushes events; enable it with {' or '.join(container.push_settings())}.")
        await_database(container.store, embedded=settings.embedded_database)
        container.store.check_schema()
        if check:
            _check(container)
            return
        with observing("listener"):
            thread = start_listening(container)
            settle()
            stop_at_signal(container.close)
            while thread.is_alive():
                thread.join(1.0)
    finally:
        container.close()


def _check(container: Container) -> None:
    now = container.clock()
    with container.store.reading() as tx:
        for listener in container.push_listeners():
            until = tx.compliance.claimed_until(listener.claim_name)
            if until is None or until < now:
                raise SetupError(f"No process listens to {listener.network}; start 'aggregator listen'.")


def start_listening(container: Container) -> Thread:
    """Start a thread that listens to all networks that push, until the container is closed."""

    def run() -> None:
        try:
            container.listen()
        except CancelledError:  # the container was closed
            return

    thread = Thread(target=run, name="listener", daemon=True)
    thread.start()
    return thread
