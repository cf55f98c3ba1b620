"""Stitching: of the entries about one original that stand close together, the newest is shown and names the others.

An entry is *about* the original that it reposts, or else about itself. It collapses where one of the `REACH` entries
just before it (newer ones, in the same selection of the stream) is about the same. Nothing of that is stored: where the
one that was shown goes, another takes its place by itself, and a page at any depth needs only to know what stands
before it. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REACH = 40  # entries

_T = TypeVar("_T")


class Entry(NamedTuple, Generic[_T]):
    """One entry of the stream, newest first."""

    about: str  # the key of the original
    is_repost: bool
    item: _T


@dataclass(slots=True)
class Stitched(Generic[_T]):
    """An entry that is shown, with the reposts that collapsed into it and stand within `REACH` of it, newest first."""

    item: _T
    place: int = 0
    others: list[_T] = field(default_factory=list)


def about(key: str, object_key: str | None, *, is_repost: bool) -> str:
    """Return what an entry is about."""
    return object_key if is_repost and object_key else key


def stitched(entries: Iterable[Entry[_T]], before: Sequence[str], most: int) -> tuple[list[Stitched[_T]], bool]:
    """Return what is shown of entries, and whether there is more.

    Args:
        entries: newest first; no more of them are taken than it needs to know what collapses into the last one shown.
        before: what the entries just before them are about, newest first; the last `REACH` of them count.
        most: entries to show.
    """
    window = deque(before, maxlen=REACH)
    shown: list[Stitched[_T]] = []
    into: dict[str, Stitched[_T]] = {}
    more, beyond = False, 0
    for place, entry in enumerate(entries):
        if entry.about in window:
            host = into.get(entry.about)
            if host is not None and entry.is_repost and place - host.place <= REACH:
                host.others.append(entry.item)
        elif len(shown) < most:
            into[entry.about] = Stitched(entry.item, place)
            shown.append(into[entry.about])
        else:
            more = True
            into.pop(entry.about, None)  # the next page shows this one, and what follows belongs to it
        window.append(entry.about)
        beyond += len(shown) == most
        if more and beyond > REACH:
            break
    return shown, more
