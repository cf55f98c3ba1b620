"""`freeze begin|end|list`: hold all new items until a given time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.context import ACTOR, existing, opened
from aggregator.cli.output import ago, print_table
from aggregator.cli.parameters import Moment
from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.domain.moderation.freezes import LONGEST
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@click.group()
def freeze() -> None:
    """Publish nothing new for a time; published items stay."""


@freeze.command()
@click.option("--until", "end", required=True, type=Moment(), help="In UTC unless it has a zone, or after a duration.")
@click.option("--reason", required=True, help="Reason, for the audit log and the banner.")
@click.option("--source", "slugs", multiple=True, metavar="SLUG", help="Only this source; default: all sources.")
def begin(end: datetime, reason: str, slugs: Sequence[str]) -> None:
    """Hold new items for review until a given time."""
    with opened() as container, container.store.writing() as tx:
        now = container.clock()
        if end <= now:
            raise BadRequestError(f"{end:%Y-%m-%d %H:%M} UTC has passed; give a time to come.")
        if end > now + LONGEST:
            raise BadRequestError(f"{end:%Y-%m-%d %H:%M} UTC is too far; a freeze lasts {LONGEST.days} days at most.")
        ids: list[int | None] = [existing(tx, slug).id for slug in slugs]
        made = tx.moderation.freezes.begin(ids or [None], end, reason, ACTOR, now)
        detail = {"until": end.isoformat(), "sources": [*slugs] or ["all"], "reason": reason}
        tx.moderation.audit.notes(now, ACTOR, "froze", [(f"freeze:{id_}", detail) for id_ in made])
    click.echo(f"Nothing new of {', '.join(slugs) or 'any source'} is shown until {end:%Y-%m-%d %H:%M} UTC.")


@freeze.command()
@click.argument("freeze_id", metavar="[ID]", required=False, type=click.IntRange(1, 2**63 - 1))
def end(freeze_id: int | None) -> None:
    """End one freeze now, or all of them.

    Items that waited for it are published.
    """
    with opened() as container, container.store.writing() as tx:
        now = container.clock()
        active = [freeze_row for freeze_row in tx.moderation.freezes.active(now) if freeze_id in {None, freeze_row.id}]
        if not active:
            raise NotFoundError("Nothing is frozen." if freeze_id is None else f"No freeze {freeze_id} is under way.")
        shown = 0
        for freeze_row in active:
            count = tx.moderation.freezes.end(freeze_row, ACTOR, now)
            tx.moderation.audit.note(now, ACTOR, "ended a freeze", f"freeze:{freeze_row.id}", {"shown": count})
            shown += count
    click.echo(f"{counted(len(active), 'freeze')} ended; {counted(shown, 'item')} shown.")


@freeze.command("list")
def list_() -> None:
    """List the current freezes."""
    with opened() as container, container.store.reading() as tx:
        now, active = container.clock(), tx.moderation.freezes.active(container.clock())
        refs = tx.polling.sources.refs({freeze.source_id for freeze in active if freeze.source_id is not None})
    if not active:
        click.echo("Nothing is frozen.")
        return
    print_table(
        ("ID", "SOURCE", "ENDS", "BY", "WHY"),
        [
            (
                str(item.id),
                "all" if item.source_id is None else refs[item.source_id].slug if item.source_id in refs else "removed",
                ago(item.until, now),
                one_line(item.author, 30),
                one_line(item.reason, 80),
            )
            for item in active
        ],
    )
