"""Show the words that an edit changed. Pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"\s*\S+|\s+$")
_MOST_WORDS = 4000  # of both sides: the time grows with their product
_CONTEXT = 30  # unchanged words kept around a change
_EQUAL = "equal"


class Piece(NamedTuple):
    """A run of words: kept ("same"), removed ("gone"), added ("new"), or a long kept one omitted ("cut")."""

    what: str
    text: str


def difference(before: str, after: str) -> list[Piece]:
    """Return the pieces that lead from one text to another; long unchanged runs are cut."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) > _MOST_WORDS:
        return [Piece("gone", before), Piece("new", after)]
    return list(_pieces(old, new))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    steps = SequenceMatcher(None, [word.strip() for word in old], [word.strip() for word in new], autojunk=False)
    codes = steps.get_opcodes()
    for place, (what, left, right, first, last) in enumerate(codes):
        if what == _EQUAL:
            yield from _shortened(new[first:last], begins=place == 0, ends=place == len(codes) - 1)
            continue
        if right > left:
            yield Piece("gone", "".join(old[left:right]))
        if last > first:
            yield Piece("new", "".join(new[first:last]))


def _shortened(words: list[str], *, begins: bool, ends: bool) -> Iterator[Piece]:
    head, tail = (0 if begins else _CONTEXT), (0 if ends else _CONTEXT)
    if len(words) <= head + tail + _CONTEXT:
        yield Piece("same", "".join(words))
        return
    if head:
        yield Piece("same", "".join(words[:head]))
    yield Piece("cut", f"{len(words) - head - tail} words")
    if tail:
        yield Piece("same", "".join(words[-tail:]))
