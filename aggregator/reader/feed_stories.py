"""Merge the entries of a feed document by story. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aggregator.domain.matching.repost_grouping import entry_of, part_of_story, stitched
from aggregator.domain.matching.stories import lasting_lead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aggregator.domain.activity import Activity
    from aggregator.domain.matching.repost_grouping import Entry
    from aggregator.domain.stream import Cursor, Query


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a document and the positions of the others."""

    items: Sequence[Activity]
    next: Cursor | None = None
    prev: Cursor | None = None
    older: Cursor | None = None  # archives
    newer: Cursor | None = None
    others: Mapping[int, Sequence[Activity]] = field(default_factory=dict)  # merged items, by the id shown


def merged(entries: Entries, query: Query, older: Sequence[Activity] = ()) -> Entries:
    """Merge the stories within a document.

    Args:
        entries: the document; archives depend on no newer entry.
        query: whose `stitch` and `by_story` select what is merged.
        older: the entries just after the document. A story that one of them leads is left out: feed readers have
            received it.
    """
    if not query.stitch:
        return entries
    items = [*entries.items, *older]
    listed = [_entry(item, by_story=query.by_story) for item in items]
    groups, _ = stitched(listed, (), len(listed), furthest=len(listed) + 1)
    former = {item.id for item in older}
    stories = [(group.item, *group.others) for group in groups if group.item.id not in former]
    return with_leads(entries, (story for story in stories if lasting_lead(story).id not in former))


def with_leads(entries: Entries, stories: Iterable[Sequence[Activity]]) -> Entries:
    """Return a document of stories, each under its lasting lead."""
    items: list[Activity] = []
    others: dict[int, Sequence[Activity]] = {}
    for story in stories:
        lead = lasting_lead(story)
        items.append(lead)
        if len(story) > 1:
            others[lead.id] = [item for item in story if item is not lead]
    return replace(entries, items=items, others=others)


def _entry(item: Activity, *, by_story: bool) -> Entry[Activity]:
    kind = item.content.kind
    if by_story:
        return part_of_story(item, kind, item.key, item.story, item.source.slug)
    return entry_of(item, kind, item.key, item.object_key)
