"""Resemblance: which of the items that came lately an item is much like, without comparing it to each. Pure.

Items are sets of words. Two are alike where at least four fifths of the words of both are the same. Candidates share
the least of four orderings of their words (min-wise hashing, Broder 1997), which alike ones nearly always do. Of those
that share one, only the newest are looked at: what a template makes shares its words without being alike.
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
_ORDERS = (0, 0x5BD1E995, 0x9E3779B9, 0x27D4EB2F)  # each, by exclusive or, another order of the same hashes
_NEWEST = 5000  # items that are remembered
_COMPARED = 100  # items that share one least word


_Mark = tuple[int, int]  # (place of an ordering, its least word)


class _Held(NamedTuple):
    number: int
    arrived: datetime
    source: str
    words: frozenset[bytes]


class MinHashIndex:
    """What came lately, in the order of arrival."""

    def __init__(self) -> None:
        self._by_sketch: dict[_Mark, list[_Held]] = {}
        self._by_key: dict[str, _Held] = {}
        self._count = 0

    def note(self, words: str, keys: Sequence[str], source: str, arrived: datetime) -> None:
        """Remember an item."""
        self._count += 1
        parted, marks = _sketched(words)
        held = _Held(self._count, arrived, source, parted)
        for mark in marks:
            listed = self._by_sketch.setdefault(mark, [])
            listed.append(held)
            if len(listed) > 2 and self._count - listed[0].number > _NEWEST:  # noqa: PLR2004  # old ones go in passing
                self._by_sketch[mark] = [one for one in listed if self._count - one.number <= _NEWEST]
        for key in keys:
            self._by_key[key] = held

    def like(self, words: str, keys: Sequence[str], source: str, arrived: datetime, hours: int) -> bool:
        """Say whether an item resembles another of the hours before it, or is the same thing from another source."""
        since = arrived - timedelta(hours=hours)
        for key in keys:
            same = self._by_key.get(key)
            if same and same.source != source and self._counts(same, since):
                return True
        mine, marks = _sketched(words)
        return any(self._counts(one, since) and _alike(mine, one.words) for one in self._candidates(marks))

    def _counts(self, one: _Held, since: datetime) -> bool:
        return one.arrived >= since and self._count - one.number < _NEWEST

    def _candidates(self, marks: Iterable[_Mark]) -> Iterator[_Held]:
        for mark in marks:
            yield from islice(reversed(self._by_sketch.get(mark, ())), _COMPARED)


@lru_cache(maxsize=4)  # what is compared is remembered next
def _sketched(words: str) -> tuple[frozenset[bytes], tuple[_Mark, ...]]:
    """Return the words by themselves, and the least of them by each ordering."""
    parted = frozenset(words.encode().split())
    hashes = [*map(zlib.crc32, parted)]
    least = tuple((place, min(map(order.__xor__, hashes))) for place, order in enumerate(_ORDERS) if hashes)
    return parted, least


def _alike(one: frozenset[bytes], other: frozenset[bytes]) -> bool:
    fewer, more = sorted((len(one), len(other)))
    if fewer < _ALIKE * more:
        return False
    common = len(one & other)
    return common >= _ALIKE * (fewer + more - common)
