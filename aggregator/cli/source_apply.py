"""`source apply FILE`: sources as a file says them, so that an installation can be set up from version control."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.context import FAILED, WHO, opened
from aggregator.domain.errors import AggregatorError, BadRequestError
from aggregator.domain.source import SourceFilter, SourceState
from aggregator.services.subscription_lists.toml import entry_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.container import Container
    from aggregator.domain.source import Source
    from aggregator.services.subscription_lists.toml import Entry
    from storage.store import Transaction


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def apply(file: Path, dry_run: bool) -> None:
    """Add and set sources as FILE (TOML) says; people can't set these at the review desk.

    Each source is a table [[source]] with address and slug, and, where wanted, name, policy ("auto", "delay" or
    "hold"), delay ("10m"), on_edit ("stay" or "return"), trusted (a list of authors), every ("15m"), floor, ceiling,
    options (a table of its kind's) and paused (true or false). A source that the file names no more stays, and people
    set it again.
    """
    entries = read(file)
    failed = False
    with opened() as container:
        for entry in entries:
            try:
                click.echo(f"{entry.slug}: {_applied(container, entry, file.name, dry_run=dry_run)}.")
            except AggregatorError as problem:
                failed = True
                click.echo(f"{entry.slug}: not applied. {problem}", err=True)
        named = {entry.slug for entry in entries}
        with container.store.writing() as tx:
            for one in tx.polling.sources.each(SourceFilter(managed=file.name)):
                if one.slug not in named:
                    click.echo(f"{one.slug}: not in {file.name} any more; people set it from now on.")
                    if not dry_run:
                        _change(tx, container, one, {"managed": ""})
    if failed:
        raise SystemExit(FAILED)


def read(file: Path) -> list[Entry]:
    """Return what a file says.

    Raises:
        BadRequestError: it can't be used; the sentence says where and why.
    """
    try:
        tables = tables_in(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeError) as problem:
        raise BadRequestError(f"{file} can't be read: {problem}.") from None
    entries = [entry_of(table, f"{file}, source {place}") for place, table in enumerate(tables, 1)]
    for place, entry in enumerate(entries, 1):
        if not entry.slug:
            raise BadRequestError(f"{file}, source {place}: slug is missing.")
    twice = {entry.slug for entry in entries if sum(one.slug == entry.slug for one in entries) > 1}
    if twice:
        raise BadRequestError(f"{file} says {', '.join(sorted(twice))} more than once.")
    return entries


def tables_in(text: str, where: str) -> list[Any]:
    """Return the tables of a file, unchecked.

    Raises:
        BadRequestError: it is no TOML, or of another shape.
    """
    try:
        held = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise BadRequestError(f"{where} can't be read: {problem}.") from None
    tables = held.get("source")
    if not isinstance(tables, list) or set(held) != {"source"}:
        raise BadRequestError(f"{where} holds tables [[source]] and nothing else.")
    return tables


def _applied(container: Container, entry: Entry, name: str, *, dry_run: bool) -> str:
    """Add or change a source, and return what was done."""
    from aggregator.services.subscribe import Subscription

    with container.store.reading() as tx:
        one = tx.polling.sources.get(entry.slug)
    added = one is None
    if one is None:
        if dry_run:
            return f"would be added from {entry.address}"
        terms = Subscription(slug=entry.slug, policy=entry.policy, delay=entry.delay, options=entry.options)
        one, _ = container.subscribe(entry.address, terms)
    held = _held(one)
    said = {**entry.changes, "managed": name, **_options(one, entry)}
    differing = {key: value for key, value in said.items() if held[key] != value}
    state = _state(one, entry)
    if (differing or state) and not dry_run:
        with container.store.writing() as tx:
            if differing:
                _change(tx, container, one, differing)
            if state:
                _set_state(tx, container, one, state)
    if added:
        return "added"
    what: Sequence[str] = sorted({*differing, *(["paused"] if state else [])} - {"managed"})
    if not differing and not state:
        return "as the file says"
    return f"{'would be ' if dry_run else ''}changed ({', '.join(what) or f'set by {name} from now on'})"


def _options(one: Source, entry: Entry) -> dict[str, Any]:
    """Return the options of a source with those that the file says."""
    from aggregator.sources import kinds

    if not entry.options:
        return {}
    return {"options": dict(kinds()[one.kind].parse_options({**one.options, **entry.options}))}


def _state(one: Source, entry: Entry) -> SourceState | None:
    """Return the state that the file wants and the source has not; one that was stopped is for people to mend."""
    if entry.paused and one.state is SourceState.ACTIVE:
        return SourceState.PAUSED
    return SourceState.ACTIVE if entry.paused is False and one.state is SourceState.PAUSED else None


def _set_state(tx: Transaction, container: Container, one: Source, state: SourceState) -> None:
    paused = state is SourceState.PAUSED
    tx.polling.sources.set_state(one.id, state, "paused by its file" if paused else "", container.clock())
    tx.moderation.audit.note(
        container.clock(), WHO, f"{'paused' if paused else 'resumed'} a source", f"source:{one.slug}", {}
    )


def _change(tx: Transaction, container: Container, one: Source, changes: Mapping[str, Any]) -> None:
    tx.polling.sources.change(one.id, **changes)
    tx.moderation.audit.note(container.clock(), WHO, "changed a source", f"source:{one.slug}", changes)


def _held(one: Source) -> dict[str, Any]:
    return {
        "name": one.name,
        "policy": one.policy.value,
        "delay": round(one.delay.total_seconds()) if one.delay else None,
        "on_edit": one.on_edit.value,
        "trusted": list(one.trusted) or None,
        "every": round(one.every.total_seconds()) if one.every else None,
        "floor": round(one.floor.total_seconds()),
        "ceiling": round(one.ceiling.total_seconds()),
        "options": dict(one.options),
        "managed": one.managed,
    }
