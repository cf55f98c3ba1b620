"""`demo`: run the whole system in one process, with a sample upstream on loopback."""

from __future__ import annotations

import os
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from aggregator.cli.parameters import Duration
from aggregator.cli.serve import Reader, free_address, run_everything
from aggregator.config.logging import configure_logging
from aggregator.config.settings import Settings
from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import MOST
from aggregator.text.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.container import Container
    from aggregator.domain.activity import Activity

_POLL_INTERVAL = timedelta(seconds=10)
_EDITOR = "demo"
_LONGEST_STOP = 5.0  # seconds
_CHECK_INTERVAL = 1.0  # seconds between checks for new items
_PASSED_ON = (
    "AGGREGATOR_LISTEN",
    "AGGREGATOR_LOG_LEVEL",
    "AGGREGATOR_LOG_FORMAT",
    "AGGREGATOR_TIMEZONE",
    "AGGREGATOR_LOCALE",
)


@click.command()
@click.option("--publish-every", type=Duration(0.5, 86_400, fractions=True), default="15s", show_default=True,
              help="Interval between new items of the sample upstream.")  # fmt: skip
def demo(publish_every: float) -> None:
    """Run the demonstration; no account is needed.

    Content of a sample X, Bluesky and Mastodon and a sample news site on this machine is polled, merged and served.
    Everything runs in this process and in a temporary folder; Ctrl-C stops it and deletes the folder.
    """
    from aggregator.demo import Upstream

    with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as folder, Upstream(every=publish_every) as upstream:
        settings = Settings.from_environment(_environment(Path(folder), upstream.url))
        configure_logging(settings.log_level, settings.log_format)
        click.echo(f"A sample X, Bluesky, Mastodon and news site answer at {upstream.url} (this machine only).")

        stopping, threads = threading.Event(), list[threading.Thread]()

        def ready(container: Container, reader: Reader) -> None:
            from aggregator.services.subscribe import Subscription

            password = _editor(container)
            for address, (slug, name) in _sources(upstream.url).items():
                added, _ = container.subscribe(address, Subscription(slug=slug, name=name, every=_POLL_INTERVAL))
                click.echo(
                    f"Added the source {added.slug}: {one_line(added.name)}, pulled every {_POLL_INTERVAL.seconds} s."
                )
            _print_addresses(reader.address, folder, password)
            printer = threading.Thread(target=_print_items, args=(container, stopping), name="items", daemon=True)
            printer.start()
            threads.append(printer)

        try:
            run_everything(settings, ready=ready)
        finally:  # a thread that reads the database creates files in the folder while it is deleted
            stopping.set()
            for thread in threads:
                thread.join(_LONGEST_STOP)
    click.echo("Stopped; the temporary folder is deleted.")


def _sources(upstream: str) -> Mapping[str, tuple[str | None, str | None]]:
    """Return the slugs and names of the sample sources by their addresses; None: those that are found."""
    from aggregator.demo import BLUESKY_HANDLE, PORTAL

    return {
        f"@{PORTAL}": (None, None),
        f"@{BLUESKY_HANDLE}": (f"{PORTAL}-bluesky", f"{PORTAL} on Bluesky"),
        f"@{PORTAL}@{urlsplit(upstream).netloc}": (f"{PORTAL}-mastodon", f"{PORTAL} on Mastodon"),
        f"{upstream}/news.xml": (None, None),
        f"{upstream}/events.ics": (None, None),
    }


def _configuration(folder: Path, upstream: str) -> Path:
    """Return a folder with the page of April 2014 and the accounts of the portal."""
    from aggregator.demo import BLUESKY_HANDLE, PORTAL
    from aggregator.demo.configuration import write_configuration

    accounts = [f"x:{PORTAL}", f"bluesky:{BLUESKY_HANDLE}", f"mastodon:{PORTAL}@{urlsplit(upstream).netloc}"]
    return write_configuration(folder, accounts)


def _environment(folder: Path, upstream: str) -> Mapping[str, str]:
    """Return the settings of a demo: fixed ones, and of the user's only those that concern the terminal."""
    from aggregator.demo import SAMPLE_TOKEN

    mine = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    return {
        "AGGREGATOR_LISTEN": free_address(),
        "AGGREGATOR_LOG_LEVEL": "warning",
        **mine,
        "AGGREGATOR_DATA_DIR": str(folder),
        "AGGREGATOR_X_BASE_URL": upstream,
        "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
        "AGGREGATOR_X_PUBLIC_TEXT": "yes",  # the sample content needs no permission
        "AGGREGATOR_BLUESKY_API": upstream,
        "AGGREGATOR_CONFIG_DIR": str(_configuration(folder, upstream)),
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0.5",  # all samples come from one local host
    }


def _editor(container: Container) -> str:
    """Create an admin account for the review desk and an item to review; return the account's password."""
    from aggregator.config import passwords
    from aggregator.domain.access.accounts import Role
    from aggregator.domain.moderation.conditions import Condition, Field
    from aggregator.domain.moderation.rules import Action, Rule

    password = passwords.generated()
    with container.store.writing() as tx:
        now = container.clock()
        tx.access.accounts.add(_EDITOR, Role.ADMIN, passwords.hashed(password), now)
        tx.moderation.rules.add(
            Rule(0, "Replies wait for a person", Action.HOLD, (Condition(Field.REPLY),), author=_EDITOR), now
        )
    return password


def _print_addresses(address: str, folder: str, password: str) -> None:
    click.echo()
    for what, where in (
        ("The page", f"{address}/"),
        ("The stream", f"{address}/api/v1/activities"),
        ("The sources", f"{address}/api/v1/sources"),
        ("The feed", f"{address}/feed.atom"),
        ("The API's documentation", f"{address}/docs"),
        ("The review desk", f"{address}/review  (name {_EDITOR}, password {password})"),
    ):
        click.echo(f"  {what + ':':<25}{click.style(where, bold=True)}")
    click.echo(f"\nCommand line: AGGREGATOR_DATA_DIR={folder} .venv/bin/aggregator status")
    click.echo("New items appear below; press Ctrl-C to stop.\n")


def _print_items(container: Container, stopping: threading.Event) -> None:
    """Print each item as it arrives, until the demonstration ends."""
    with container.store.reading() as tx:
        revision = tx.stream.state.revision()
    while not stopping.wait(_CHECK_INTERVAL):
        with container.store.reading() as tx:
            changes = tx.stream.activities.changes(revision, MOST)
        revision = changes.upto
        for activity in changes.activities:
            click.echo(f"{activity.first_seen:%H:%M:%S}  {_summary(activity)}")


def _summary(activity: Activity) -> str:
    content = activity.content
    shown = activity.object.content if activity.object and content.kind is ActivityKind.REPOST else content
    who = f"{content.actor.name}: " if content.actor else ""
    return f"{content.kind.value:<8} {one_line(who + (shown.title or shown.text), 110)}"
