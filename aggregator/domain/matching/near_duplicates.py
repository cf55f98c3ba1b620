"""Find recent items that are similar to an item, without comparing all pairs. Pure.

Items are sets of words. Two are near-duplicates if they share at least four fifths of their words. Candidates share the
minimum of one of four orderings of their words (min-wise hashing, Broder 1997), which near-duplicates almost always do.
Only the newest candidates are compared, since texts from the same template share words without being near-duplicates.
"""

from __future__ import annotations

import zlib
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

_ALIKE = 0.8
_ORDERS = (0, 0x5BD1E995, 0x9E3779B9, 0x27D4EB2F)  # each defines another order of the same hashes by XOR
_NEWEST = 5000  # items in the index
_COMPARED = 100  # compared items per shared minimum


_Mark = tuple[int, int]  # (number of the ordering, its minimum)


class _Held(NamedTuple):
    number: int
    arrived: datetime
    source: str
    words: frozenset[bytes]


class MinHashIndex:
    """An index of recent items in order of arrival."""

    def __init__(self) -> None:
        self._by_sketch: dict[_Mark, list[_Held]] = {}
        self._by_key: dict[str, _Held] = {}
        self._count = 0

    def note(self, words: str, keys: Sequence[str], source: str, arrived: datetime) -> None:
        """Add an item."""
        self._count += 1
        parted, marks = _sketched(words)
        item = _Held(self._count, arrived, source, parted)
        for mark in marks:
            listed = self._by_sketch.setdefault(mark, [])
            listed.append(item)
            if len(listed) > 2 and self._count - listed[0].number > _NEWEST:  # noqa: PLR2004  # old ones go in passing
                self._by_sketch[mark] = [item for item in listed if self._count - item.number <= _NEWEST]
        for key in keys:
            self._by_key[key] = item

    def like(self, words: str, keys: Sequence[str], source: str, arrived: datetime, hours: int) -> bool:
        """Return whether a recent item is similar, or is the same content from another source."""
        since = arrived - timedelta(hours=hours)
        for key in keys:
            same = self._by_key.get(key)
            if same and same.source != source and self._counts(same, since):
                return True
        mine, marks = _sketched(words)
        return any(self._counts(item, since) and _alike(mine, item.words) for item in self._candidates(marks))

    def _counts(self, item: _Held, since: datetime) -> bool:
        return item.arrived >= since and self._count - item.number < _NEWEST

    def _candidates(self, marks: Iterable[_Mark]) -> Iterator[_Held]:
        for mark in marks:
            yield from islice(reversed(self._by_sketch.get(mark, ())), _COMPARED)


@lru_cache(maxsize=4)  # compared items are added next
def _sketched(words: str) -> tuple[frozenset[bytes], tuple[_Mark, ...]]:
    """Return the words, and their minimum by each ordering."""
    parted = frozenset(words.encode().split())
    hashes = [*map(zlib.crc32, parted)]
    least = tuple((place, min(map(order.__xor__, hashes))) for place, order in enumerate(_ORDERS) if hashes)
    return parted, least


def _alike(words: frozenset[bytes], other: frozenset[bytes]) -> bool:
    fewer, more = sorted((len(words), len(other)))
    if fewer < _ALIKE * more:
        return False
    common = len(words & other)
    return common >= _ALIKE * (fewer + more - common)
