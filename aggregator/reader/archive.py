"""Split a feed into stable archive documents (RFC 5005, section 4). Pure.

Archives begin at entries selected by a hash of their id, about one in 32. So the boundaries depend neither on later
entries nor on hidden ones, and the URL of an archive stays valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aggregator.domain.activity import Activity
    from aggregator.domain.stream import Cursor

    Read = Callable[[Cursor | None], tuple[Sequence[Activity], Cursor | None]]

MOST = 500  # entries of one archive
_GOLDEN = 0x9E3779B97F4A7C15  # multiplication by it distributes consecutive ids
_BITS = 64
_MASK = (1 << _BITS) - 1


def begins(id_: int) -> bool:
    """Return whether an archive begins at an entry."""
    return ((id_ * _GOLDEN) & _MASK) >> (_BITS - 5) == 0


def run(read: Read, start: Cursor | None, least: int) -> tuple[list[Activity], Activity | None]:
    """Return the entries from a position to the next archive boundary, and the entry at the boundary.

    Args:
        read: returns some entries from a position on, and the next position.
        start: the position; None: the newest entry.
        least: minimum number of entries.
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
