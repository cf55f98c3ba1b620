"""`source pause|resume`: stop and resume polling sources."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import ACTOR, existing, opened
from aggregator.cli.output import ago
from aggregator.cli.parameters import slug_argument
from aggregator.domain.errors import BadRequestError, GoneError
from aggregator.domain.source import SourceFilter, SourceState
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from storage.store import Transaction

_GONE_PERIOD = timedelta(days=30)


@click.command()
@slug_argument("slugs", nargs=-1, required=True, metavar="SLUG...")
def pause(slugs: Sequence[str]) -> None:
    """Stop polling sources until they are resumed. Their items stay."""
    with opened() as container:
        now = container.clock()
        with container.store.writing() as tx:
            for row in [existing(tx, slug) for slug in slugs]:
                _set_state(tx, row, SourceState.PAUSED, "paused by hand", "paused", now)


@click.command()
@slug_argument("slugs", nargs=-1, metavar="SLUG...")
@click.option("--all", "every", is_flag=True, help="All sources that are paused, stopped or failing.")
@click.option("--kind", help="Those of one kind, e.g. rss.")
@click.option(
    "--anyway",
    is_flag=True,
    help="Resume even if the source returned 410 Gone less than a month ago.",
)
def resume(slugs: Sequence[str], every: bool, kind: str | None, anyway: bool) -> None:
    """Resume and poll sources now.

    If a service refuses calls, the next poll tries again.
    """
    if bool(slugs) == (every or kind is not None):
        raise click.UsageError("Give SLUG..., --all or --kind KIND.")
    with opened() as container:
        now = container.clock()
        with container.store.reading() as tx:
            rows = [existing(tx, slug) for slug in slugs] if slugs else _not_running(tx, kind)
        gone = [] if anyway else [row for row in rows if _is_gone(row, now)]
        if gone and slugs:
            raise BadRequestError(_about_gone(gone[0], now))
        resumed = [row for row in rows if row not in gone]
        with container.store.writing() as tx:
            for row in resumed:
                _set_state(tx, row, SourceState.ACTIVE, "", "resumed", now)
            kinds = {kind} if kind else {row.kind for row in resumed}
            tx.api.refusals.probe_now(_services(container, kinds), now)
        for row in gone:
            click.echo(f"{row.slug}: not resumed. {_about_gone(row, now)}", err=True)
        if not slugs:
            click.echo(f"{counted(len(resumed), 'source')} resumed.")


def _not_running(tx: Transaction, kind: str | None) -> list[Source]:
    """Return the sources that are paused, stopped or failing, of one kind or all.

    Raises:
        BadRequestError: the kind is unknown.
    """
    from aggregator.sources import kinds

    if kind is not None and kind not in kinds():
        raise BadRequestError(f"Unknown kind {kind!r}; expected one of {', '.join(sorted(kinds()))}.")
    which = SourceFilter(kinds=[kind] if kind else ())
    return [row for row in tx.polling.sources.each(which) if row.state is not SourceState.ACTIVE or row.poll.failures]


def _services(container: Container, kinds: Collection[str]) -> set[str]:
    """Return the services that kinds of source call."""
    from aggregator.sources import kinds as every_kind

    configured = [kind.credential(container.settings.kinds) for name, kind in every_kind().items() if name in kinds]
    return {credential[0] for credential in configured if credential is not None}


def _set_state(tx: Transaction, row: Source, state: SourceState, reason: str, word: str, now: datetime) -> None:
    tx.polling.sources.set_state(row.id, state, reason, now)
    tx.moderation.audit.note(now, ACTOR, f"{word} a source", f"source:{row.slug}", {})
    click.echo(f"{row.slug}: {word}.")


def _is_gone(row: Source, now: datetime) -> bool:
    """Return whether the publisher recently reported that the source is gone permanently."""
    return (
        row.poll.last_error_code == GoneError.code
        and row.poll.last_polled is not None
        and now - row.poll.last_polled < _GONE_PERIOD
    )


def _about_gone(row: Source, now: datetime) -> str:
    return (
        f"{row.slug} answered 410 Gone {ago(row.poll.last_polled, now)}; such a source is polled once a month "
        "at most. To resume it now, add --anyway."
    )
