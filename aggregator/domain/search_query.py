"""What people search for: words, "phrases" and -not, parsed the same for every database. Pure.

A term of several words, quoted or written together ("open-data", "C++17"), is found where its words follow each other.
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
    """Words that have to follow each other."""

    words: tuple[str, ...]

    @property
    def spelt(self) -> str:
        """What a padded `search_text` holds where it holds them."""
        return f" {' '.join(self.words)} "


@dataclass(frozen=True, slots=True)
class Search:
    """What has to be there, all of it, and what must not. `wanted` is never empty."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, asked: str) -> Search:
        """Read what people typed.

        Raises:
            BadSearchError: there is no word to look for, or too much of it.
        """
        if len(asked) > _LONGEST:
            raise BadSearchError(f"q has {len(asked)} characters, but {_LONGEST} are the most.")
        wanted: list[Term] = []
        unwanted: list[Term] = []
        for match in _TERM.finditer(asked):
            words = tuple(search_terms.words(match["quoted"] if match["quoted"] is not None else match["plain"]))
            if words:
                (unwanted if match["minus"] else wanted).append(Term(words))
        if not wanted:
            what = "only says what must not be there; add a word to look for" if unwanted else "holds no word"
            raise BadSearchError(f"q is {asked[:80]!r}, which {what}.")
        if len(wanted) + len(unwanted) > _MOST_TERMS:
            raise BadSearchError(f"q has {len(wanted) + len(unwanted)} terms, but {_MOST_TERMS} are the most.")
        return cls(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(unwanted)))

    def finds(self, search_text: str) -> bool:
        """Say whether it finds an activity by its `search_text`, as the databases do."""
        padded = f" {search_text} "
        return all(term.spelt in padded for term in self.wanted) and not any(
            term.spelt in padded for term in self.unwanted
        )
