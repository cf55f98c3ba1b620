"""Keep the items that readers read last: after a change, a page differs in few of them from the page before.

A kept item is used only if the database still has the same versions of all rows that it was read from. PostgreSQL marks
each version of a row with the transaction that wrote it (`xmin`); SQLite has no such mark, so nothing is kept there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity

ITEM_CACHE = "item_cache"  # execution option of a connection that may use the cache

_MOST_ITEMS = 2_000
_MOST_CHARACTERS = 8_000_000
_FIXED = 1_000  # characters that an item takes besides its text


class ItemCache:
    """The items read last, within limits of count and size; shared by the threads of a process."""

    def __init__(self, most_items: int = _MOST_ITEMS, most_characters: int = _MOST_CHARACTERS) -> None:
        self._most_items, self._most_characters = most_items, most_characters
        self._kept: OrderedDict[int, tuple[Any, Activity]] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, id_: int, version: Any) -> Activity | None:  # noqa: ANN401  # the type depends on the database
        """Return an item if it is kept in this version; another version of it is dropped."""
        with self._lock:
            version_kept, item = self._kept.get(id_, (None, None))
            if item is None:
                return None
            if version_kept != version:
                self._drop(id_)
                return None
            self._kept.move_to_end(id_)
            return item

    def put(self, id_: int, version: Any, item: Activity) -> None:  # noqa: ANN401  # as above
        """Keep an item; the ones that were not used for longest make room."""
        size = _size(item)
        if size > self._most_characters:
            return
        with self._lock:
            if id_ in self._kept:
                self._drop(id_)
            self._kept[id_] = version, item
            self._held += size
            while len(self._kept) > self._most_items or self._held > self._most_characters:
                self._drop(next(iter(self._kept)))

    def _drop(self, id_: int) -> None:
        self._held -= _size(self._kept.pop(id_)[1])


def _size(item: Activity) -> int:
    original = item.object.content if item.object is not None else None
    return _FIXED + sum(len(part.text) + len(part.html) for part in (item.content, original) if part is not None)
