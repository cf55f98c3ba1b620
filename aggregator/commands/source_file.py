"""`source apply FILE`: sources as a file says them, so that an installation can be set up from version control."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator.commands.session import FAILED, WHO, opened
from aggregator.errors import AggregatorError, BadRequestError
from aggregator.source import OnEdit, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.source import Source
    from aggregator.wiring import House
    from storage.store import Transaction

_KNOWN = frozenset({"address", "slug", "name", "policy", "delay", "on_edit", "trusted", "every"})
_SPAN = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file says of one source; what it does not say stays as it is."""

    address: str
    slug: str
    changes: Mapping[str, Any]  # columns
    policy: Policy
    delay: timedelta | None


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def apply(file: Path, dry_run: bool) -> None:
    """Add and set sources as FILE (TOML) says; people can't set these at the review desk.

    Each source is a table [[source]] with address and slug, and, where wanted, name, policy ("auto", "delay" or
    "hold"), delay ("10m"), on_edit ("stay" or "return"), trusted (a list of authors) and every ("15m"). A source that
    the file names no more stays, and people set it again.
    """
    entries = read(file)
    failed = False
    with opened() as house:
        for entry in entries:
            try:
                click.echo(f"{entry.slug}: {_applied(house, entry, file.name, dry_run=dry_run)}.")
            except AggregatorError as problem:
                failed = True
                click.echo(f"{entry.slug}: not applied. {problem}", err=True)
        named = {entry.slug for entry in entries}
        with house.store.writing() as tx:
            for one in tx.sources.all():
                if one.managed == file.name and one.slug not in named:
                    click.echo(f"{one.slug}: not in {file.name} any more; people set it from now on.")
                    if not dry_run:
                        _change(tx, house, one, {"managed": ""})
    if failed:
        raise SystemExit(FAILED)


def read(file: Path) -> list[Entry]:
    """Return what a file says.

    Raises:
        BadRequestError: it can't be used; the sentence says where and why.
    """
    try:
        held = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as problem:
        raise BadRequestError(f"{file} can't be read: {problem}.") from None
    tables = held.get("source")
    if not isinstance(tables, list) or set(held) != {"source"}:
        raise BadRequestError(f"{file} holds tables [[source]] and nothing else.")
    entries = [_entry(table, f"{file}, source {place}") for place, table in enumerate(tables, 1)]
    twice = {entry.slug for entry in entries if sum(one.slug == entry.slug for one in entries) > 1}
    if twice:
        raise BadRequestError(f"{file} says {', '.join(sorted(twice))} more than once.")
    return entries


def _entry(table: Any, where: str) -> Entry:  # noqa: ANN401  # whatever the file holds
    if not isinstance(table, dict) or not set(table) <= _KNOWN:
        strange = sorted(set(table) - _KNOWN) if isinstance(table, dict) else []
        raise BadRequestError(f"{where}: {', '.join(strange) or 'it'} is none of {', '.join(sorted(_KNOWN))}.")
    for name in ("address", "slug"):
        if not isinstance(table.get(name), str) or not table[name]:
            raise BadRequestError(f"{where}: {name} is missing.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", table["slug"]):
        raise BadRequestError(f"{where}: slug is {table['slug']!r}; it has 1 to 40 of a-z, 0-9 and dashes.")
    try:
        policy = Policy(table.get("policy", Policy.AUTO.value))
        on_edit = OnEdit(table.get("on_edit", OnEdit.STAY.value))
    except ValueError as problem:
        raise BadRequestError(f"{where}: {problem}.") from None
    delay = _span(table.get("delay"), f"{where}: delay")
    if (policy is Policy.DELAY) != (delay is not None):
        raise BadRequestError(f'{where}: policy = "delay" and delay go together.')
    trusted = table.get("trusted", [])
    if not isinstance(trusted, list) or not all(isinstance(one, str) and one.strip() for one in trusted):
        raise BadRequestError(f"{where}: trusted is a list of names.")
    every = _span(table.get("every"), f"{where}: every")
    changes: dict[str, Any] = {
        "policy": policy.value,
        "delay": round(delay.total_seconds()) if delay else None,
        "on_edit": on_edit.value,
        "trusted": [one.strip().removeprefix("@") for one in trusted] or None,
    }
    if every is not None:
        changes["every"] = round(every.total_seconds())
    if isinstance(table.get("name"), str) and table["name"].strip():
        changes["name"] = table["name"].strip()
    return Entry(table["address"], table["slug"], changes, policy, delay)


def _span(value: Any, where: str) -> timedelta | None:  # noqa: ANN401
    if value is None:
        return None
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadRequestError(f'{where} is {value!r}; write it like "90s", "10m", "2h" or "1d".')
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _applied(house: House, entry: Entry, name: str, *, dry_run: bool) -> str:
    """Add or change a source, and return what was done."""
    from aggregator.subscribe import Subscription

    with house.store.reading() as tx:
        one = tx.sources.get(entry.slug)
    added = one is None
    if one is None:
        if dry_run:
            return f"would be added from {entry.address}"
        one, _ = house.subscribe(entry.address, Subscription(slug=entry.slug, policy=entry.policy, delay=entry.delay))
    held = _held(one)
    differing = {key: value for key, value in {**entry.changes, "managed": name}.items() if held[key] != value}
    if differing and not dry_run:
        with house.store.writing() as tx:
            _change(tx, house, one, differing)
    if added:
        return "added"
    what: Sequence[str] = sorted(set(differing) - {"managed"})
    if not differing:
        return "as the file says"
    return f"{'would be ' if dry_run else ''}changed ({', '.join(what) or f'set by {name} from now on'})"


def _change(tx: Transaction, house: House, one: Source, changes: Mapping[str, Any]) -> None:
    tx.sources.change(one.id, **changes)
    tx.audit.note(house.clock(), WHO, "changed a source", f"source:{one.slug}", changes)


def _held(one: Source) -> dict[str, Any]:
    return {
        "name": one.name,
        "policy": one.policy.value,
        "delay": round(one.delay.total_seconds()) if one.delay else None,
        "on_edit": one.on_edit.value,
        "trusted": list(one.trusted) or None,
        "every": round(one.every.total_seconds()) if one.every else None,
        "managed": one.managed,
    }
