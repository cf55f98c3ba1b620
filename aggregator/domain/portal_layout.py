"""Arrange the blocks of the portal page in columns that end at about the same height. Pure.

The stream is the main column; other blocks stand beside it, as many as fit its height. The rest follows in rows over
the whole width, the map last. So the page has no empty column, whatever the sources publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.domain.portal_page import BlockType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.domain.activity import Activity

# Approximate heights in pixels on a wide screen.
_HEADING = 80
_DAY = 50
_CARD = {ActivityKind.ARTICLE: 195, ActivityKind.EVENT: 235, ActivityKind.VIDEO: 560}
_POST = 240
_PICTURE = 330
_ITEM = {
    BlockType.NEWS: 165,
    BlockType.SOCIAL: 300,
    BlockType.EVENTS: 125,
    BlockType.VIDEO: 410,
    BlockType.TOPICS: 170,
}
_LONGEST = 1.3  # height of the side column in relation to the main column
_SHORTEST = 0.4
_MAP_LAST = 2  # places in the order of rows
_MOST_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Size:
    """What determines the height of a block."""

    type: BlockType
    count: int  # of its entries
    cards: Sequence[Activity] = ()  # of the stream
    is_all_zero: bool = False  # a map whose countries have no items


@dataclass(frozen=True, slots=True)
class Row:
    """A block over the whole width, and its number of columns."""

    block: int
    columns: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of blocks, by their index. Without a side column the page is one narrow column."""

    main: int | None
    side: Sequence[int]
    rows: Sequence[Row]

    @property
    def is_single(self) -> bool:
        """Whether the page has one column."""
        return self.main is not None and not self.side


def arrange(sizes: Sequence[Size]) -> Layout:
    """Return the places of blocks that have content, given in the order of the file."""
    main = next((place for place, size in enumerate(sizes) if size.type is BlockType.STREAM), None)
    side = _beside(sizes, height(sizes[main])) if main is not None else []
    rest = [place for place in range(len(sizes)) if place != main and place not in side]
    ordered = sorted(rest, key=lambda place: _turn(sizes[place]))
    return Layout(main, side, [Row(place, columns_of(sizes[place].count)) for place in ordered])


def height(size: Size) -> int:
    """Return the approximate height of a block in its column."""
    if size.type is BlockType.STREAM:
        days = len({item.position.date() for item in size.cards})
        return _HEADING + _DAY * (1 + days) + sum(map(_card, size.cards))
    return _HEADING + _ITEM.get(size.type, 0) * size.count


def columns_of(count: int) -> int:
    """Return the number of columns in which entries fill a row."""
    return 2 if count == _MOST_COLUMNS + 1 else max(1, min(count, _MOST_COLUMNS))


def _card(item: Activity) -> int:
    content = item.object.content if item.object else item.content
    if item.content.kind in _CARD:
        return _CARD[item.content.kind]
    return _POST + (_PICTURE if content.media else 0)


def _beside(sizes: Sequence[Size], available: int) -> list[int]:
    """Return the blocks of the side column; topics only if others do not fill it."""
    side: list[int] = []
    filled = 0
    fitting = [place for place, size in enumerate(sizes) if size.type in _ITEM]
    for place in sorted(fitting, key=lambda place: sizes[place].type is BlockType.TOPICS):
        needed = height(sizes[place])
        is_extra = sizes[place].type is BlockType.TOPICS and filled >= _SHORTEST * 2 * available
        if filled + needed <= _LONGEST * available and not is_extra:
            side.append(place)
            filled += needed
    return side if filled >= _SHORTEST * available else []


def _turn(size: Size) -> int:
    if size.type is not BlockType.COUNTRIES:
        return 0
    return _MAP_LAST if size.is_all_zero else 1
