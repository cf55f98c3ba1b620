"""Merge nearby reposts of the same original: the newest is shown and names the others.

An entry is *about* the original that it reposts, or about itself. It collapses if one of the `REACH` entries just
before it (newer ones, in the same selection of the stream) is about the same. Nothing is stored: if the shown entry is
removed, another takes its place, and a page at any depth needs only the entries just before it. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from aggregator.domain.activity import ActivityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REACH = 40  # entries
FURTHEST = 1000  # maximum entries per page; if more of them are about the same originals, the page is shorter

# Kinds that can be reposted. An article's key is its URL, which feeds may use for several entries.
_SAID = frozenset({ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY})
_T = TypeVar("_T")


class Entry(NamedTuple, Generic[_T]):
    """An entry of the stream, newest first."""

    about: str | None  # key of the original; None: never collapses
    repost: str | None  # its own key if it is named after collapsing, as reposts are
    item: _T


@dataclass(slots=True)
class Stitched(Generic[_T]):
    """A shown entry with the reposts collapsed into it within `REACH`, newest first."""

    item: _T
    others: list[_T] = field(default_factory=list)
    place: int = 0
    named: set[str | None] = field(default_factory=set)  # keys: several sources may contain the same repost

    def name(self, entry: Entry[_T], place: int) -> None:
        """Add a collapsed entry if it is a repost, near enough, and not yet named."""
        if entry.repost is not None and place - self.place <= REACH and entry.repost not in self.named:
            self.named.add(entry.repost)
            self.others.append(entry.item)


def entry_of(item: _T, kind: ActivityKind, key: str, object_key: str | None) -> Entry[_T]:
    """Return an entry that collapses by its original."""
    is_repost = kind is ActivityKind.REPOST
    about = (object_key if is_repost and object_key else key) if kind in _SAID else None
    return Entry(about, key if is_repost else None, item)


def part_of_story(item: _T, key: str, story: str | None) -> Entry[_T]:
    """Return an entry that collapses by its story; all entries of a story are named."""
    return Entry(story or key, key, item)


def stitched(
    entries: Iterable[Entry[_T]], before: Sequence[str | None], most: int, *, furthest: int = FURTHEST
) -> tuple[list[Stitched[_T]], _T | None]:
    """Return the shown entries, and the entry after which the next page begins, or None on the last page.

    Args:
        entries: newest first; only as many are read as needed for the last shown entry.
        before: the `about` of the entries just before, newest first; the last `REACH` count.
        most: entries to show.
        furthest: maximum entries to read.
    """
    window = deque(before, maxlen=REACH)
    shown: list[Stitched[_T]] = []
    into: dict[str | None, Stitched[_T]] = {}
    more, beyond = False, 0
    for place, entry in enumerate(entries):
        if entry.about is not None and entry.about in window:
            if entry.about in into:
                into[entry.about].name(entry, place)
        elif len(shown) < most:
            shown.append(Stitched(entry.item, place=place, named={entry.repost}))
            into[entry.about] = shown[-1]
        else:
            more = True
            into.pop(entry.about, None)  # the next page shows this one with the entries collapsed into it
        window.append(entry.about)
        beyond += len(shown) == most
        if more and beyond > REACH:
            break
        if place + 1 >= furthest:
            return shown, shown[-1].item if len(shown) == most else entry.item
    return shown, shown[-1].item if more else None


def shown_before(entries: Iterable[Entry[_T]], most: int, *, furthest: int = FURTHEST) -> list[_T]:
    """Return the shown items just before a position, nearest first.

    Args:
        entries: from the position towards the newest; only as many are read as needed for the items before each
            shown one.
        most: items to find.
        furthest: maximum entries to read.
    """
    shown: list[_T] = []
    undecided: deque[tuple[int, Entry[_T]]] = deque()  # nearest first: their newer neighbors aren't all known yet
    for place, entry in enumerate(islice(entries, furthest)):
        while undecided and place - undecided[0][0] > REACH and len(shown) < most:
            shown.append(undecided.popleft()[1].item)
        if len(shown) == most:
            return shown
        if entry.about is not None:  # it absorbs nearby older entries about the same
            undecided = deque(pair for pair in undecided if pair[1].about != entry.about)
        undecided.append((place, entry))
    shown.extend(entry.item for _, entry in undecided)
    return shown[:most]
