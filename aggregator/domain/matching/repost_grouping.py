"""Stitching: of the entries about one original that stand close together, the newest is shown and names the others.

An entry is *about* the original that it reposts, or else about itself. It collapses where one of the `REACH` entries
just before it (newer ones, in the same selection of the stream) is about the same. Nothing of that is stored: where the
one that was shown goes, another takes its place by itself, and a page at any depth needs only to know what stands
before it. Pure.
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
FURTHEST = 1000  # entries that a page looks at; where more of them are about one original, the page is shorter

# What can be reposted. The key of an article is its address, which feeds give to many an entry of theirs.
_SAID = frozenset({ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY})
_T = TypeVar("_T")


class Entry(NamedTuple, Generic[_T]):
    """One entry of the stream, newest first."""

    about: str | None  # the key of the original; none: it never collapses
    repost: str | None  # its own key if it is to be named where it collapses, as reposts are
    item: _T


@dataclass(slots=True)
class Stitched(Generic[_T]):
    """An entry that is shown, with the reposts that collapsed into it and stand within `REACH` of it, newest first."""

    item: _T
    others: list[_T] = field(default_factory=list)
    place: int = 0
    named: set[str | None] = field(default_factory=set)  # keys: several sources may bring the same repost

    def name(self, entry: Entry[_T], place: int) -> None:
        """Take an entry that collapsed among the others if it is a repost, near enough, and not named yet."""
        if entry.repost is not None and place - self.place <= REACH and entry.repost not in self.named:
            self.named.add(entry.repost)
            self.others.append(entry.item)


def entry_of(item: _T, kind: ActivityKind, key: str, object_key: str | None) -> Entry[_T]:
    """Return an entry of the stream, told apart by what it is about."""
    is_repost = kind is ActivityKind.REPOST
    about = (object_key if is_repost and object_key else key) if kind in _SAID else None
    return Entry(about, key if is_repost else None, item)


def part_of_story(item: _T, key: str, story: str | None) -> Entry[_T]:
    """Return an entry of the stream, told apart by the story that it belongs to; all of a story are named."""
    return Entry(story or key, key, item)


def stitched(
    entries: Iterable[Entry[_T]], before: Sequence[str | None], most: int, *, furthest: int = FURTHEST
) -> tuple[list[Stitched[_T]], _T | None]:
    """Return what is shown of entries, and the entry behind which the next page begins, or None on the last page.

    Args:
        entries: newest first; no more of them are taken than it needs to know what collapses into the last one shown.
        before: what the entries just before them are about, newest first; the last `REACH` of them count.
        most: entries to show.
        furthest: entries to take at the most.
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
            into.pop(entry.about, None)  # the next page shows this one, and what follows belongs to it
        window.append(entry.about)
        beyond += len(shown) == most
        if more and beyond > REACH:
            break
        if place + 1 >= furthest:
            return shown, shown[-1].item if len(shown) == most else entry.item
    return shown, shown[-1].item if more else None


def shown_before(entries: Iterable[Entry[_T]], most: int, *, furthest: int = FURTHEST) -> list[_T]:
    """Return the items shown just before a place, nearest first, at most so many.

    Args:
        entries: going from the place towards the newest; no more of them are taken than it needs to know what stands
            before each one shown.
        most: items to find.
        furthest: entries to take at the most.
    """
    shown: list[_T] = []
    undecided: deque[tuple[int, Entry[_T]]] = deque()  # nearest first: what is newer and near is not all known yet
    for place, entry in enumerate(islice(entries, furthest)):
        while undecided and place - undecided[0][0] > REACH and len(shown) < most:
            shown.append(undecided.popleft()[1].item)
        if len(shown) == most:
            return shown
        if entry.about is not None:  # it takes in what is older, near and about the same
            undecided = deque(one for one in undecided if one[1].about != entry.about)
        undecided.append((place, entry))
    shown.extend(entry.item for _, entry in undecided)
    return shown[:most]
