"""Parse searches: words, "phrases" and -not, the same for every database. Pure.

A term of several words, quoted or written together ("open-data", "C++17"), matches consecutive words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aggregator.domain.errors import BadSearchError
from aggregator.text import search_terms

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<quoted>[^"]*)(?:"|$)|(?P<plain>[^\s"]+))')
_MOST_TERMS = 20
_LONGEST = 500  # characters


@dataclass(frozen=True, slots=True)
class Term:
    """Consecutive words."""

    words: tuple[str, ...]

    @property
    def spelt(self) -> str:
        """The substring of a padded `search_text` that matches."""
        return f" {' '.join(self.words)} "


@dataclass(frozen=True, slots=True)
class Search:
    """Terms that must match, and terms that must not. `required` is never empty."""

    required: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Search:
        """Parse search text.

        Raises:
            BadSearchError: it has no required word, or is too long.
        """
        if len(text) > _LONGEST:
            raise BadSearchError(f"q has {len(text)} characters, the maximum is {_LONGEST}.")
        required: list[Term] = []
        excluded: list[Term] = []
        for match in _TERM.finditer(text):
            words = tuple(search_terms.words(match["quoted"] if match["quoted"] is not None else match["plain"]))
            if words:
                (excluded if match["minus"] else required).append(Term(words))
        if not required:
            what = "has excluded words only; add a word to search for" if excluded else "has no words"
            raise BadSearchError(f"q is {text[:80]!r}, which {what}.")
        if len(required) + len(excluded) > _MOST_TERMS:
            raise BadSearchError(f"q has {len(required) + len(excluded)} terms, the maximum is {_MOST_TERMS}.")
        return cls(tuple(dict.fromkeys(required)), tuple(dict.fromkeys(excluded)))

    def finds(self, search_text: str) -> bool:
        """Return whether it matches a `search_text`, as the databases do."""
        padded = f" {search_text} "
        return all(term.spelt in padded for term in self.required) and not any(
            term.spelt in padded for term in self.excluded
        )
