"""Tag activities with topics and countries, and record the matching words. Pure.

Whole words are compared, folded by `text.searchable`. The longest match at a position wins and its words are not
matched again: "Papua New Guinea" is not about Guinea.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.activity import BY_SOURCE
from aggregator.text.search_terms import searchable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aggregator.domain.activity import Content, Original

MOST_WORDS = 2000  # of one activity: later words hardly indicate its topics

_WORD = re.compile(r"[^\W_]+")
_NAMES = re.compile(r"https?://\S+|@\w{1,30}")
_SHOUTED = 0.7  # share of capitalized words above which capitals are ignored
_AT_LEAST = 4  # minimum number of words for that
# A name after these words is a place; at the start of a sentence they are capitalized, too.
_BEFORE_PLACES = (
    "in from to of for across visit inside near throughout within around and between with en de desde hacia para "
    "por a del sobre entre con y au aux du des vers dans depuis pour et le la les l avec em o no na do da dos das "
    "com e di dari ke untuk dan dengan"
)
_PLACED = frozenset(_BEFORE_PLACES.split())
# Words that follow a person's name rather than a state's.
_AFTER_PEOPLE = (
    "said says told tells scored wrote writes sings sang plays played wins won loves joked tweeted posted smiled "
    "dies died he she his her dijo dice conto escribio anoto jugo canta dit joue chante marque disse diz joga "
    "canta marcou kata berkata bermain mencetak who whose"
)
_SAID = frozenset(_AFTER_PEOPLE.split())


class Tags(NamedTuple):
    """Topics and countries, each with the word that matched."""

    topics: Mapping[str, str]  # slug -> word
    countries: Mapping[str, str]  # ISO 3166, two capitals -> word


NO_TAGS = Tags({}, {})


class Sense(NamedTuple):
    """The meaning of a phrase."""

    tag: str  # "": none, so that no shorter phrase is found in it
    languages: frozenset[str]  # languages of that meaning; empty: all


@dataclass(frozen=True, slots=True)
class Doubt:
    """An ambiguous name and the phrases that settle it."""

    near: frozenset[str] = frozenset()  # folded phrases in the same text that confirm it
    never: frozenset[str] = frozenset()  # phrases that rule it out, unless one of the former is present


class Always(NamedTuple):
    """The topics and countries of all items of a source."""

    topics: Sequence[str] = ()
    countries: Sequence[str] = ()


class Token(NamedTuple):
    """A word of a text."""

    folded: str
    written: str
    joined: bool  # only a space separates it from the previous word
    tagged: bool  # a hashtag


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases by first word, longest first."""

    by_first: Mapping[str, Sequence[tuple[tuple[str, ...], Sequence[Sense]]]]

    @classmethod
    def of(cls, senses: Iterable[tuple[str, Sense]]) -> Phrases:
        """Index phrases, each folded into words separated by spaces."""
        meanings: dict[tuple[str, ...], list[Sense]] = {}
        for folded, sense in senses:
            if folded:
                meanings.setdefault(tuple(folded.split()), []).append(sense)
        by_first: dict[str, list[tuple[tuple[str, ...], Sequence[Sense]]]] = {}
        for words in sorted(meanings, key=len, reverse=True):
            by_first.setdefault(words[0], []).append((words, tuple(meanings[words])))
        return cls(by_first)

    def found(self, tokens: Sequence[Token], language: str, first: str) -> Iterator[tuple[int, int, Sequence[Sense]]]:
        """Yield `(begin, end, senses)` of matches from left to right, without overlaps.

        Args:
            tokens: the words of a text.
            language: of the text; "" if unknown.
            first: the language that always counts.
        """
        place = 0
        while place < len(tokens):
            step = 1
            for words, senses in self.by_first.get(tokens[place].folded, ()):
                end = place + len(words)
                if all(token.folded == word for token, word in zip(tokens[place:end], words, strict=False)) and (
                    end <= len(tokens)
                ):
                    meant = [sense for sense in senses if _spoken(sense.languages, language, first)]
                    if meant:
                        yield place, end, meant
                        step = len(words)
                        break
            place += step


@dataclass(frozen=True, slots=True)
class Tagger:
    """Tags activities by phrases.

    `by_source` maps a source's slug to the topics and countries of all its items.
    """

    topics: Phrases
    hashtags: Mapping[str, frozenset[str]]  # folded -> topics
    countries: Phrases
    doubts: Mapping[str, Doubt]  # by folded name
    first_language: str = "en"
    languages: frozenset[str] = frozenset({"en"})
    by_source: Mapping[str, Always] = field(default_factory=dict)

    def tags(self, content: Content, original: Original | None = None, source: str = "") -> Tags:
        """Return the topics and countries of an activity and its object, each with the first word that matched."""
        topics: dict[str, str] = {}
        countries: dict[str, str] = {}
        for part in (content, original.content) if original else (content,):
            language = (part.lang or "").partition("-")[0].lower()
            language = language if language in self.languages else ""
            tokens = tokens_of(*filter(None, (part.title, part.text)))
            for tag in part.hashtags:
                for topic in sorted(self.hashtags.get(searchable(tag), ())):
                    topics.setdefault(topic, f"#{tag}")
            for begin, end, senses in self.topics.found(tokens, language, self.first_language):
                for sense in senses:
                    if sense.tag:
                        topics.setdefault(sense.tag, _written(tokens, begin, end))
            tokens += [token for tag in part.hashtags for token in _hashtag_tokens(tag)]
            for code, phrase in self._named(tokens, language):
                countries.setdefault(code, phrase)
        always = self.by_source.get(source)
        if always is not None:
            topics = {**dict.fromkeys(always.topics, BY_SOURCE), **topics}
            countries = {**dict.fromkeys(always.countries, BY_SOURCE), **countries}
        return Tags(topics, countries)

    def _named(self, tokens: Sequence[Token], language: str) -> Iterator[tuple[str, str]]:
        """Yield the countries named in a text, with the matching words."""
        whole = ""
        shouted = _is_shouted(tokens)
        for begin, end, senses in self.countries.found(tokens, language, self.first_language):
            sense = senses[0]
            if not sense.tag:
                continue
            doubt = self.doubts.get(" ".join(token.folded for token in tokens[begin:end]))
            if doubt is not None:
                whole = whole or f" {' '.join(token.folded for token in tokens)} "
                if not _believed(doubt, whole, tokens, begin, end, shouted=shouted):
                    continue
            yield sense.tag, _written(tokens, begin, end)


def folded(phrase: str) -> str:
    """Return a phrase in comparable form: "Anti-Corruption" is "anti corruption"."""
    return " ".join(_WORD.findall(searchable(phrase)))


def tokens_of(*texts: str) -> list[Token]:
    """Return the words of texts in order, at most 2,000, without URLs and mentions."""
    tokens: list[Token] = []
    for text in texts:
        end = 0
        for found in _WORD.finditer(_without_names(text)):
            between = found.string[end : found.start()]
            written = found[0]
            tokens += [
                Token(word, written, between in {" ", "\u00a0"}, between.endswith("#"))
                for word in _fold(written).split()
            ]
            end = found.end()
            if len(tokens) >= MOST_WORDS:
                return tokens
    return tokens


def _hashtag_tokens(tag: str) -> Iterator[Token]:
    for found in _WORD.finditer(tag):
        for word in _fold(found[0]).split():
            yield Token(word, found[0], joined=False, tagged=True)


def _without_names(text: str) -> str:
    return _NAMES.sub("\u2022", text) if "@" in text or "http" in text else text


@lru_cache(maxsize=8192)
def _fold(word: str) -> str:
    return " ".join(_WORD.findall(searchable(word)))


def _written(tokens: Sequence[Token], begin: int, end: int) -> str:
    return " ".join(token.written for token in tokens[begin:end])


def _spoken(languages: frozenset[str], language: str, first: str) -> bool:
    return not languages or not language or language in languages or first in languages


def _is_shouted(tokens: Sequence[Token]) -> bool:
    """Return whether a text has so many capitals (as in headlines) that they carry no information."""
    letters = [token for token in tokens if token.written[0].isalpha() and not token.tagged]
    if len(letters) < _AT_LEAST:
        return False
    return sum(token.written[0].isupper() for token in letters) / len(letters) >= _SHOUTED


def _believed(doubt: Doubt, whole: str, tokens: Sequence[Token], begin: int, end: int, *, shouted: bool) -> bool:
    """Return whether an ambiguous name means the country, by other phrases in the text, then by its context."""
    name = tokens[begin]
    if not name.tagged and not name.written[0].isupper():
        return False
    if any(f" {phrase} " in whole for phrase in doubt.near):
        return True
    if any(f" {phrase} " in whole for phrase in doubt.never):
        return False
    return name.tagged or _stands_alone(tokens, begin, end, shouted=shouted)


def _stands_alone(tokens: Sequence[Token], begin: int, end: int, *, shouted: bool) -> bool:
    """Return whether a name is unlikely to be part of a person's name or another name."""
    before = tokens[begin - 1] if begin and tokens[begin].joined else None
    after = tokens[end] if end < len(tokens) and tokens[end].joined else None
    if after is not None and after.folded in _SAID:
        return False
    if before is not None and before.folded in _PLACED:
        return True
    if shouted:
        return before is None or after is None
    return not any(token is not None and token.written[0].isupper() for token in (before, after))
