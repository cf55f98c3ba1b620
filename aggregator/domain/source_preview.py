"""Describe the source and entries that an address would add, with notes on repairs, guesses and omissions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Content, ScreenedActivity
    from aggregator.domain.polling.results import Discovery

_SOON = timedelta(minutes=5)  # clocks differ
_BY_CONTENT = "sha256:"  # native ids of entries with neither an id nor an address


@dataclass(frozen=True, slots=True)
class PreviewedEntry:
    """An entry as it would be stored."""

    native_id: str
    content: Content
    topics: tuple[str, ...]
    countries: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourcePreview:
    """A source as it would be added."""

    kind: str
    address: str  # as polled, without credentials
    name: str
    slug: str
    floor: timedelta  # between polls
    entries: int  # that would be stored
    shown: tuple[PreviewedEntry, ...]  # newest first
    notes: tuple[str, ...]
    followed_as: str | None = None  # the slug of the source at this address
    cost: str = ""  # a recurring cost to confirm, also among the notes


def preview_of(
    found: Discovery, address: str, screened: Sequence[ScreenedActivity], now: datetime, most: int
) -> SourcePreview:
    """Return the preview of a detected source.

    Args:
        found: the source.
        address: its address for people.
        screened: its entries, oldest first.
        now: the present time.
        most: the number of entries to show.
    """
    newest = [*reversed(screened)][:most]
    return SourcePreview(
        kind=found.kind,
        address=address,
        name=found.name,
        slug=found.slug,
        floor=found.floor,
        entries=len(screened),
        shown=tuple(
            PreviewedEntry(
                entry.new.native_id,
                entry.new.content,
                entry.topics,
                entry.countries,
                tuple(entry_notes(entry.new.native_id, entry.new.content, found.name, now)),
            )
            for entry in newest
        ),
        notes=tuple(_source_notes(found, screened, now)),
        cost=found.cost,
    )


def entry_notes(native_id: str, content: Content, publication: str, now: datetime) -> Iterator[str]:
    """Yield notes on missing fields of an entry, and on guesses."""
    if content.published is None:
        yield "No date that can be read: placed at the time of collection."
    elif content.published > now + _SOON:
        yield "Dated in the future: placed at the time of collection."
    if native_id.startswith(_BY_CONTENT):
        yield "Neither an id nor an address: recognized by its content, so an edit makes a new item."
    elif content.url is None:
        yield "No address: the item links to no page."
    if not content.title and content.kind in {ActivityKind.ARTICLE, ActivityKind.VIDEO}:
        yield "No title."
    if not content.text and not content.media:
        yield "Neither text nor media."
    if content.kind is ActivityKind.ARTICLE and content.actor and content.actor.name == publication:
        yield "No author: credited to the publication."
    yield from _event_notes(content)


def _event_notes(content: Content) -> Iterator[str]:
    event = content.event
    if event is None:
        return
    if event.other_start is not None:
        yield f'Time zone "{event.zone_label}" is ambiguous; may also start {event.other_start:%Y-%m-%d %H:%M} UTC.'
    elif event.zone_label is None and not event.all_day:
        yield "The event names no time zone: read as UTC."


def _source_notes(found: Discovery, screened: Sequence[ScreenedActivity], now: datetime) -> Iterator[str]:
    if found.cost:
        yield found.cost
    yield from found.notes
    result = found.first_result
    if result is None:
        yield "Its entries are read with the first poll."
        return
    if result.note:
        yield result.note
    if not screened:
        yield "It has no entries now."
    undated = sum(entry.new.content.published is None for entry in screened)
    future = sum((entry.new.content.published or now) > now + _SOON for entry in screened)
    unnamed = sum(entry.new.native_id.startswith(_BY_CONTENT) for entry in screened)
    everything = len(screened)
    if undated:
        yield f"Entries without a date that can be read: {undated} of {everything}."
    if future:
        yield f"Entries dated in the future: {future} of {everything}."
    if unnamed:
        yield f"Entries with neither an id nor an address: {unnamed} of {everything}."
    if result.entries is not None and result.entries > everything:
        yield f"Entries of the document that would not be stored: {result.entries - everything} of {result.entries}."
