"""Archives of a feed: runs of entries that stay what they are, whatever comes (RFC 5005, section 4). Pure.

Runs begin at entries that their own id singles out, about one in 32. So where a run begins depends on nothing else: not
on what came later, and not on what was hidden elsewhere; an archive's address stays good for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.domain.activity import Activity
    from aggregator.domain.stream import Cursor

    Read = Callable[[Cursor | None], tuple[Sequence[Activity], Cursor | None]]

MOST = 500  # entries of one run
_GOLDEN = 0x9E3779B97F4A7C15  # multiplying by it spreads ids that follow each other
_BITS = 64
_MASK = (1 << _BITS) - 1


def begins(id_: int) -> bool:
    """Say whether a run begins at an entry."""
    return ((id_ * _GOLDEN) & _MASK) >> (_BITS - 5) == 0


def run(read: Read, start: Cursor | None, least: int) -> tuple[list[Activity], Activity | None]:
    """Return the entries from a place to the next beginning of a run, and the entry that begins it.

    Args:
        read: gives some entries from a place on, and where to go on.
        start: the place; none: the newest.
        least: as many entries belong to it in any case.
    """
    found: list[Activity] = []
    while True:
        items, start = read(start)
        for item in items:
            if len(found) >= least and begins(item.id):
                return found, item
            found.append(item)
            if len(found) >= least + MOST:
                return found, item
        if start is None:
            return found, None
