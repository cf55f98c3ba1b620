"""Normalize text into search terms."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import chain, islice

_ACCENTS = re.compile("[\u0300-\u036f]")
# No script stacks more marks. `re` treats marks as neither letters nor spaces; they are part of its matches.
_IDEOGRAPH = re.compile("[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 100  # characters; longer texts are searched by their beginning
_MOST_WORDS = 16_000  # of one activity: PostgreSQL keeps no more positions
_TOWER = re.compile(r"[^\w\s\x00-\x7f]{31,}")
_MOST_MARKS = 30


def searchable(*parts: str | None) -> str:
    """Return texts in searchable form: compatibility characters folded, case and accents removed, whitespace folded."""
    joined = " ".join(part for part in parts if part)
    if joined.isascii():
        return " ".join(joined.lower().split())
    return " ".join(filter(None, map(_folded, joined.split())))  # normalization ends at whitespace


def words(*parts: str | None) -> list[str]:
    """Return the search terms of texts in order: runs of letters and digits in searchable form.

    Text without spaces between words is split into characters, so that any run is found as a phrase.
    """
    written = " ".join(part for part in parts if part).split()
    found = chain.from_iterable(_cached_terms(word) if len(word) <= _LONGEST_WORD else _terms(word) for word in written)
    return list(islice(found, _MOST_WORDS))


def _terms(word: str) -> list[str]:
    return [term[:_LONGEST_WORD] for term in _WORD.findall(_IDEOGRAPH.sub(r" \g<0> ", _folded(word)))]


_cached_terms = lru_cache(maxsize=16_384)(_terms)  # most words of a language are repeated


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Sorting stacked accents takes quadratic time.
    folded = unicodedata.normalize("NFKC", _TOWER.sub(_lowered, text)).casefold()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())


def _lowered(found: re.Match[str]) -> str:
    """Keep the first marks of each stack and all other characters."""
    kept, marks = [], 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)
