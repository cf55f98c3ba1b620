"""`source apply FILE`: define sources in a file, for example under version control."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.context import ACTOR, FAILED, opened
from aggregator.cli.source_costs import approved
from aggregator.domain.errors import AggregatorError, BadRequestError
from aggregator.domain.source import SourceFilter, SourceState
from aggregator.services.subscription_lists.document import tables_in
from aggregator.services.subscription_lists.toml import entry_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from aggregator.services.subscription_lists.toml import Entry
    from storage.store import Transaction


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the changes without making them.")
@click.option("--yes", is_flag=True, help="Add sources with a recurring cost without asking.")
def apply(file: Path, dry_run: bool, yes: bool) -> None:
    """Add and change sources as FILE (TOML) defines them.

    The review desk can't change these. Each source is a table [[source]] with address and slug, and, optionally, name,
    policy ("auto", "delay" or "hold"), delay ("10m"), on_edit ("stay" or "return"), trusted (a list of authors), every
    ("15m"), floor, ceiling, kind, folder, undescribed ("allow" or "hold" items that have images without description),
    options (a table) and paused (true or false). A source that is no longer in the file stays, and the review desk can
    change it again.
    """
    entries = read(file)
    failed = False
    with opened() as container:
        for entry in entries:
            try:
                click.echo(f"{entry.slug}: {_applied(container, entry, file.name, dry_run=dry_run, yes=yes)}.")
            except AggregatorError as problem:
                failed = True
                click.echo(f"{entry.slug}: not applied. {problem}", err=True)
        named = {entry.slug for entry in entries}
        with container.store.writing() as tx:
            for source in tx.polling.sources.each(SourceFilter(managed=file.name)):
                if source.slug not in named:
                    click.echo(f"{source.slug}: no longer in {file.name}; it can be changed by hand again.")
                    if not dry_run:
                        _change(tx, container, source, {"managed": ""})
    if failed:
        raise SystemExit(FAILED)


def read(file: Path) -> list[Entry]:
    """Parse a file of sources.

    Raises:
        BadRequestError: it is invalid; the message contains the position and the reason.
    """
    try:
        tables = tables_in(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeError) as problem:
        raise BadRequestError(f"{file} can't be read: {problem}.") from None
    entries = [entry_of(table, f"{file}, source {place}") for place, table in enumerate(tables, 1)]
    for place, entry in enumerate(entries, 1):
        if not entry.slug:
            raise BadRequestError(f"{file}, source {place}: slug is missing.")
    twice = {entry.slug for entry in entries if sum(other.slug == entry.slug for other in entries) > 1}
    if twice:
        raise BadRequestError(f"{file} says {', '.join(sorted(twice))} more than once.")
    return entries


def _applied(container: Container, entry: Entry, name: str, *, dry_run: bool, yes: bool) -> str:
    """Add or change a source, and return a description of the change."""
    from aggregator.services.subscribe import Subscription

    with container.store.reading() as tx:
        source = tx.polling.sources.get(entry.slug)
    added = source is None
    if source is None:
        if dry_run:
            return f"would be added from {entry.address}"
        terms = Subscription(
            slug=entry.slug,
            policy=entry.policy,
            delay=entry.delay,
            options=entry.options,
            approve=partial(approved, yes=yes),
        )
        source, _ = container.subscribe(entry.address, terms)
    current = _current(source)
    target = {**entry.changes, "managed": name, **_options(source, entry)}
    differing = {key: value for key, value in target.items() if current[key] != value}
    state = _state(source, entry)
    if (differing or state) and not dry_run:
        with container.store.writing() as tx:
            if differing:
                _change(tx, container, source, differing)
            if state:
                _set_state(tx, container, source, state)
    if added:
        return "added"
    what: Sequence[str] = sorted({*differing, *(["paused"] if state else [])} - {"managed"})
    if not differing and not state:
        return "up to date"
    return f"{'would be ' if dry_run else ''}changed ({', '.join(what) or f'managed by {name} from now on'})"


def _options(source: Source, entry: Entry) -> dict[str, Any]:
    """Return a source's options, updated from the file."""
    from aggregator.sources import kinds

    if not entry.options:
        return {}
    return {"options": dict(kinds()[source.kind].parse_options({**source.options, **entry.options}))}


def _state(source: Source, entry: Entry) -> SourceState | None:
    """Return the state to set from the file, if it differs; a source stopped after errors is left to people."""
    if entry.paused and source.state is SourceState.ACTIVE:
        return SourceState.PAUSED
    return SourceState.ACTIVE if entry.paused is False and source.state is SourceState.PAUSED else None


def _set_state(tx: Transaction, container: Container, source: Source, state: SourceState) -> None:
    paused = state is SourceState.PAUSED
    tx.polling.sources.set_state(source.id, state, "paused by its file" if paused else "", container.clock())
    tx.moderation.audit.note(
        container.clock(), ACTOR, f"{'paused' if paused else 'resumed'} a source", f"source:{source.slug}", {}
    )


def _change(tx: Transaction, container: Container, source: Source, changes: Mapping[str, Any]) -> None:
    tx.polling.sources.change(source.id, **changes)
    if changes.get("every"):
        tx.polling.schedule.follow_interval(source, timedelta(seconds=changes["every"]), container.clock())
    tx.moderation.audit.note(container.clock(), ACTOR, "changed a source", f"source:{source.slug}", changes)


def _current(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "policy": source.policy.value,
        "delay": round(source.delay.total_seconds()) if source.delay else None,
        "on_edit": source.on_edit.value,
        "trusted": list(source.trusted) or None,
        "undescribed": source.undescribed.value,
        "folder": source.folder,
        "every": round(source.every.total_seconds()) if source.every else None,
        "floor": round(source.floor.total_seconds()),
        "ceiling": round(source.ceiling.total_seconds()),
        "options": dict(source.options),
        "managed": source.managed,
    }
