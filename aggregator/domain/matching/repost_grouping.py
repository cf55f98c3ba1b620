"""Merge nearby entries about the same: the newest is shown and names the others.

An entry is *about* the original that it reposts, about its story, or about itself. It collapses if one of the `REACH`
entries just before it (newer ones, in the same selection of the stream) is about the same. Two articles of one source
collapse into each other only if an editor merged them: feeds use one address for several entries.

Nothing is stored: if the shown entry is removed, another takes its place, and a page at any depth needs only the
entries just before it. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from aggregator.domain.activity import ActivityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REACH = 40  # entries
FURTHEST = 1000  # maximum entries per page; if more of them are about the same originals, the page is shorter

# Kinds that can be reposted. An article's key is its URL, which feeds may use for several entries.
_SAID = frozenset({ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY})
_T = TypeVar("_T")


class Entry(NamedTuple, Generic[_T]):
    """An entry of the stream, newest first."""

    about: str | None  # key of the original or story; None: never collapses
    repost: str | None  # its own key if it is named after collapsing, as reposts are
    item: _T
    origin: int | str | None = None  # the source of an article

    def absorbs(self, older: Entry[Any]) -> bool:
        """Return whether an older entry about the same collapses into this one."""
        return self.about == older.about and self.about is not None and not self.is_beside(older)

    def is_beside(self, older: Entry[Any]) -> bool:
        """Return whether an older entry about the same is shown in any case: both are articles of one source."""
        return self.about == older.about and self.origin is not None and self.origin == older.origin


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


def part_of_story(item: _T, kind: ActivityKind, key: str, story: str | None, source: int | str) -> Entry[_T]:
    """Return an entry that collapses by its story; all are named, the same post once."""
    if kind in _SAID:
        return Entry(story or key, key, item)
    is_merged = story is not None and story != key  # by an editor
    origin = source if kind is ActivityKind.ARTICLE and not is_merged else None
    return Entry(story or key, f"{key} {source}", item, origin)


def stitched(
    entries: Iterable[Entry[_T]], before: Sequence[Entry[_T]], most: int, *, furthest: int = FURTHEST
) -> tuple[list[Stitched[_T]], _T | None]:
    """Return the shown entries, and the entry after which the next page begins, or None on the last page.

    Args:
        entries: newest first; only as many are read as needed for the last shown entry.
        before: the entries just before, newest first; the last `REACH` count.
        most: entries to show.
        furthest: maximum entries to read.
    """
    window: deque[Entry[_T]] = deque(before, maxlen=REACH)
    shown: list[Stitched[_T]] = []
    into: dict[str | None, Stitched[_T]] = {}
    more, beyond = False, 0
    for place, entry in enumerate(entries):
        if _collapses(entry, window):
            if entry.about in into:
                into[entry.about].name(entry, place)
        elif len(shown) < most:
            shown.append(Stitched(entry.item, place=place, named={entry.repost}))
            into[entry.about] = shown[-1]
        else:
            more = True
            into.pop(entry.about, None)  # the next page shows this one with the entries collapsed into it
        window.append(entry)
        beyond += len(shown) == most
        if more and beyond > REACH:
            break
        if place + 1 >= furthest:
            return shown, shown[-1].item if len(shown) == most else entry.item
    return shown, shown[-1].item if more else None


def _collapses(entry: Entry[_T], newer: Iterable[Entry[_T]]) -> bool:
    if entry.about is None:
        return False
    alike = [other for other in newer if other.about == entry.about]
    return bool(alike) and not any(other.is_beside(entry) for other in alike)


def shown_before(entries: Iterable[Entry[_T]], most: int, *, furthest: int = FURTHEST) -> list[_T]:
    """Return the shown items just before a position, nearest first.

    Args:
        entries: from the position towards the newest; only as many are read as needed for the items before each
            shown one.
        most: items to find.
        furthest: maximum entries to read.
    """
    shown: list[_T] = []
    undecided: deque[_Undecided[_T]] = deque()  # nearest first: their newer neighbors aren't all known yet
    for place, entry in enumerate(islice(entries, furthest)):
        while undecided and place - undecided[0].place > REACH and len(shown) < most:
            shown.extend(undecided.popleft().if_shown())
        if len(shown) == most:
            return shown
        for older in undecided:
            older.is_absorbed |= entry.absorbs(older.entry)
            older.is_beside |= entry.is_beside(older.entry)
        undecided.append(_Undecided(place, entry))
    for older in undecided:
        shown.extend(older.if_shown())
    return shown[:most]


@dataclass(slots=True)
class _Undecided(Generic[_T]):
    """An entry some of whose newer neighbors are not known yet."""

    place: int
    entry: Entry[_T]
    is_absorbed: bool = False
    is_beside: bool = False

    def if_shown(self) -> Iterator[_T]:
        """Yield the item if it does not collapse."""
        if not self.is_absorbed or self.is_beside:
            yield self.entry.item
