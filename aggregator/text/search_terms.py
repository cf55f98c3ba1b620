"""Normalize text into search terms."""

from __future__ import annotations

import re
import unicodedata

_ACCENTS = re.compile("[\u0300-\u036f]")
# No script stacks as many. To `re` marks are neither letters nor spaces; signs are among what it finds.
_IDEOGRAPH = re.compile("[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 100  # characters; of a longer one the beginning is searched
_MOST_WORDS = 16_000  # of one activity: as many as PostgreSQL keeps the places of
_TOWER = re.compile(r"[^\w\s\x00-\x7f]{31,}")
_MOST_MARKS = 30


def searchable(*parts: str | None) -> str:
    """Return texts in the form that is searched: compatible characters joined, case and accents gone, spaces folded."""
    joined = " ".join(part for part in parts if part)
    if joined.isascii():
        return " ".join(joined.lower().split())
    # Sorting a tower of accents takes time that grows with the square of its height.
    folded = unicodedata.normalize("NFKC", _TOWER.sub(_lowered, joined)).casefold()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())


def words(*parts: str | None) -> list[str]:
    """Return what can be searched for in texts, in order: runs of letters and digits in their searched form.

    Scripts that write no spaces are parted into their characters, so that any run of those is found as a phrase.
    """
    found = _WORD.findall(_IDEOGRAPH.sub(r" \g<0> ", searchable(*parts)))
    return [word[:_LONGEST_WORD] for word in found[:_MOST_WORDS]]


def _lowered(found: re.Match[str]) -> str:
    """Keep the lowest marks of each tower, and all that is no mark."""
    kept, marks = [], 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)
