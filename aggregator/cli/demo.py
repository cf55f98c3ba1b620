"""`demo`: the whole main job on embedded parts, against a sample upstream on loopback."""

from __future__ import annotations

import os
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

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

_EVERY = timedelta(seconds=10)
_EDITOR = "demo"
_CONFIG = Path(__file__).parents[2] / "config"  # the sample that ships with the project
_LOOK = 1.0  # seconds between looks at what is new
_KEPT = (
    "AGGREGATOR_LISTEN",
    "AGGREGATOR_LOG_LEVEL",
    "AGGREGATOR_LOG_FORMAT",
    "AGGREGATOR_TIMEZONE",
    "AGGREGATOR_LOCALE",
)


@click.command()
@click.option("--publish-every", type=click.FloatRange(min=0.5), default=15.0, show_default=True, metavar="SECONDS",
              help="How often the sample upstream publishes something new.")  # fmt: skip
def demo(publish_every: float) -> None:
    """Run the demonstration; no account is needed.

    Content of a sample X and a sample news site on this machine is polled, merged and served. Everything runs in this
    process and in a temporary folder; Ctrl-C ends it and leaves nothing behind.
    """
    from aggregator.demo import Upstream

    with tempfile.TemporaryDirectory(prefix="aggregator-demo-") as folder, Upstream(every=publish_every) as upstream:
        settings = Settings.from_environment(_environment(Path(folder), upstream.url))
        configure_logging(settings.log_level, settings.log_format)
        click.echo(f"A sample X and a sample news site answer at {upstream.url} (this machine only).")

        def ready(container: Container, reader: Reader) -> None:
            from aggregator.services.subscribe import Subscription

            password = _editor(container)
            for address in ("@opengovpart", f"{upstream.url}/news.xml", f"{upstream.url}/events.ics"):
                added, _ = container.subscribe(address, Subscription(every=_EVERY))
                click.echo(f"Added the source {added.slug}: {one_line(added.name)}, pulled every {_EVERY.seconds} s.")
            _say_where(reader.address, folder, password)
            threading.Thread(target=_tell, args=(container,), name="telling", daemon=True).start()

        run_everything(settings, ready=ready)
    click.echo("Ended; the temporary folder is gone.")


def _environment(folder: Path, upstream: str) -> Mapping[str, str]:
    """Return the settings of a demo: its own, and of the user's only what concerns this terminal."""
    from aggregator.demo import SAMPLE_TOKEN

    mine = {name: os.environ[name] for name in _KEPT if os.environ.get(name)}
    return {
        "AGGREGATOR_LISTEN": free_address(),
        "AGGREGATOR_LOG_LEVEL": "warning",
        **mine,
        "AGGREGATOR_DATA_DIR": str(folder),
        "AGGREGATOR_X_BASE_URL": upstream,
        "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
        "AGGREGATOR_X_PUBLIC_TEXT": "yes",  # the samples are our own
        "AGGREGATOR_CONFIG_DIR": str(_CONFIG),
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0.5",  # all samples come from one host, which is ours
    }


def _editor(container: Container) -> str:
    """Make somebody who may do everything at the review desk, with something to decide; return their password."""
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


def _say_where(address: str, folder: str, password: str) -> None:
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
    click.echo(f"\nThe command line beside it: AGGREGATOR_DATA_DIR={folder} .venv/bin/aggregator status")
    click.echo("New items follow as they arrive; Ctrl-C ends everything.\n")


def _tell(container: Container) -> None:
    """Print each item as it arrives, until the process ends."""
    with container.store.reading() as tx:
        revision = tx.stream.state.revision()
    waiting = threading.Event()
    while not waiting.wait(_LOOK):
        with container.store.reading() as tx:
            changes = tx.stream.activities.changes(revision, MOST)
        revision = changes.upto
        for activity in changes.activities:
            click.echo(f"{activity.first_seen:%H:%M:%S}  {_spoken(activity)}")


def _spoken(activity: Activity) -> str:
    content = activity.content
    shown = activity.object.content if activity.object and content.kind is ActivityKind.REPOST else content
    who = f"{content.actor.name}: " if content.actor else ""
    return f"{content.kind.value:<8} {one_line(who + (shown.title or shown.text), 110)}"
