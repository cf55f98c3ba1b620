"""Conditions: what a rule may look at in an item, and how. Pure.

Plain matching folds case and accents and compares whole words; regular expressions are RE2's, which take time linear
to the text whatever they are made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import re2

from aggregator.domain.errors import BadRequestError
from aggregator.text import search_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.domain.activity import Content, NewActivity
    from aggregator.domain.matching.near_duplicates import MinHashIndex

LONGEST_VALUE = 500
_LONGEST_HOURS = 24 * 7
_MEMORY = 4 << 20  # bytes that RE2 may use for one expression
_SHOWN = 60  # characters of a value in a sentence


class Field(StrEnum):
    """What a condition looks at; quotes and reposts are looked at with what they embed."""

    TEXT = "text"  # title and text
    TITLE = "title"
    AUTHOR = "author"  # name, or handle with @
    URL = "url"  # of the item and of its links
    HASHTAG = "hashtag"
    KIND = "kind"
    SOURCE = "source"  # slug
    LANGUAGE = "language"
    REPOST = "repost"
    REPLY = "reply"
    SENSITIVE = "sensitive"
    UNDESCRIBED = "undescribed"  # has a picture without alternative text
    DAILY_CAP = "cap"  # more than so many of its source came today (UTC)
    NEAR_DUPLICATE = "duplicate"  # much like something of the last hours


class Operator(StrEnum):
    """How a field is compared with a value."""

    CONTAINS = "contains"
    IS = "is"
    STARTS = "starts"
    MATCHES = "matches"  # a regular expression


FLAGS = frozenset({Field.REPOST, Field.REPLY, Field.SENSITIVE, Field.UNDESCRIBED})
NUMBERS = frozenset({Field.DAILY_CAP, Field.NEAR_DUPLICATE})
EXACT = frozenset({Field.KIND, Field.SOURCE, Field.LANGUAGE})  # compared as a whole
_NAMES = {
    Field.TEXT: "the text", Field.TITLE: "the title", Field.AUTHOR: "the author", Field.URL: "an address",
    Field.HASHTAG: "a hashtag", Field.KIND: "the kind", Field.SOURCE: "the source", Field.LANGUAGE: "the language",
}  # fmt: skip
_FLAG_NAMES = {
    Field.REPOST: "is a repost", Field.REPLY: "is a reply", Field.SENSITIVE: "is marked as sensitive",
    Field.UNDESCRIBED: "has a picture without description",
}  # fmt: skip
_HOW = {
    Operator.CONTAINS: "contains", Operator.IS: "is", Operator.STARTS: "starts with", Operator.MATCHES: "matches",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. Flags have no value; numbers have no operator."""

    field: Field
    operator: Operator = Operator.CONTAINS
    value: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions look at in an item. What no condition needs may be left empty."""

    source: str  # slug
    arrived: datetime
    kind: str = ""
    title: str = ""
    text: str = ""  # title and text, also of what it embeds
    words: str = ""  # the item's `search_text`
    authors: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    lang: str = ""
    repost: bool = False
    reply: bool = False
    sensitive: bool = False
    undescribed: bool = False
    keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Surroundings:
    """What came besides: how many of each source on each day (UTC), and what came lately."""

    counts: dict[tuple[str, int], int]
    recent: MinHashIndex | None = None

    def came(self, facts: Facts) -> int:
        """Return how many of an item's source came before it on its day."""
        return self.counts.get((facts.source, _day(facts.arrived)), 0)

    def note(self, facts: Facts) -> None:
        """Count an item in, after it was judged."""
        day = (facts.source, _day(facts.arrived))
        self.counts[day] = self.counts.get(day, 0) + 1
        if self.recent is not None:
            self.recent.note(facts.words, facts.keys, facts.source, facts.arrived)


Test = Callable[[Facts, Surroundings], "str | None"]  # why it holds, or None
_Values = Callable[[Facts], "Iterable[str]"]

_VALUES: Mapping[Field, _Values] = {
    Field.TEXT: lambda facts: (facts.text,),
    Field.TITLE: lambda facts: (facts.title,),
    Field.AUTHOR: lambda facts: facts.authors,
    Field.URL: lambda facts: facts.urls,
    Field.HASHTAG: lambda facts: facts.hashtags,
    Field.KIND: lambda facts: (facts.kind,),
    Field.SOURCE: lambda facts: (facts.source,),
    Field.LANGUAGE: lambda facts: (facts.lang, facts.lang.partition("-")[0]),
}
_IN_SEARCH_TEXT = frozenset({Field.TEXT, Field.TITLE, Field.HASHTAG})


def facts_of(new: NewActivity, words: str, source: str, now: datetime) -> Facts:
    """Return what conditions look at in what a source said."""
    contents = [new.content, *([new.object.content] if new.object else [])]
    media = [one for content in contents for one in content.media]
    return Facts(
        source=source,
        arrived=now,
        kind=new.content.kind.value,
        title="\n".join(filter(None, (content.title for content in contents))),
        text="\n".join(part for content in contents for part in (content.title, content.text) if part),
        words=words,
        authors=tuple(name for content in contents for name in _names(content)),
        urls=tuple(address for content in contents for address in _addresses(content)),
        hashtags=tuple(tag for content in contents for tag in content.hashtags),
        lang=(new.content.lang or "").lower(),
        repost=new.content.kind.value == "repost",
        reply=new.content.in_reply_to is not None or new.content.kind.value == "reply",
        sensitive=any(content.sensitive for content in contents),
        undescribed=any(one.type == "image" and not one.alt for one in media),
        keys=tuple(filter(None, (new.key, new.object_key))),
    )


def described(condition: Condition) -> str:
    """Return a condition in words."""
    value = condition.value if len(condition.value) <= _SHOWN else condition.value[:_SHOWN] + "…"
    if condition.field in FLAGS:
        said = f"it {_FLAG_NAMES[condition.field]}"
    elif condition.field is Field.DAILY_CAP:
        said = f"more than {value} of its source came that day"
    elif condition.field is Field.NEAR_DUPLICATE:
        said = f"it resembles something of the {value} hours before"
    else:
        said = f"{_NAMES[condition.field]} {_HOW[condition.operator]} “{value}”"
    return f"not ({said})" if condition.negated else said


def compiled(condition: Condition) -> Test:
    """Return what tells whether a condition holds.

    Raises:
        BadRequestError: it can't; the sentence says why.
    """
    plain = _plain(condition)
    if not condition.negated:
        return plain
    otherwise = described(condition)
    return lambda facts, around: otherwise if plain(facts, around) is None else None


def _plain(condition: Condition) -> Test:
    field, value = condition.field, condition.value
    why = described(Condition(field, condition.operator, value))
    if field in FLAGS:
        name = field.value
        return lambda facts, _: why if getattr(facts, name) else None
    if field in NUMBERS:
        return _numbered(field, value, why)
    if not value or len(value) > LONGEST_VALUE:
        raise BadRequestError(f"{_NAMES[field]} needs a value of at most {LONGEST_VALUE} characters.")
    values = _VALUES[field]
    if condition.operator is Operator.MATCHES:
        pattern = expression(value)
        return lambda facts, _: why if any(pattern.search(one) for one in values(facts)) else None
    if field in EXACT:
        wanted = value.lower()
        return lambda facts, _: why if wanted in values(facts) else None
    return _worded(condition, values, why)


def _numbered(field: Field, value: str, why: str) -> Test:
    most = _LONGEST_HOURS if field is Field.NEAR_DUPLICATE else 10_000
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
        raise BadRequestError(f"{value[:20]!r} is no whole number from 1 to {most}.")
    number = int(value)
    if field is Field.DAILY_CAP:
        return lambda facts, around: why if around.came(facts) >= number else None

    def resembles(facts: Facts, around: Surroundings) -> str | None:
        found = around.recent and around.recent.like(facts.words, facts.keys, facts.source, facts.arrived, number)
        return why if found else None

    return resembles


def _worded(condition: Condition, values: _Values, why: str) -> Test:
    """Compare in the searched form: case and accents do not count, and words are whole."""
    folded = search_terms.searchable(
        condition.value.removeprefix("#") if condition.field is Field.HASHTAG else condition.value
    )
    spelt = f" {' '.join(search_terms.words(condition.value))} "
    if condition.operator is Operator.IS:
        return lambda facts, _: why if any(search_terms.searchable(one) == folded for one in values(facts)) else None
    if condition.operator is Operator.STARTS:
        return lambda facts, _: (
            why if any(search_terms.searchable(one).startswith(folded) for one in values(facts)) else None
        )
    if condition.field is Field.URL or not spelt.strip():  # parts of addresses, and signs that are no words
        return lambda facts, _: why if any(folded in search_terms.searchable(one) for one in values(facts)) else None
    quick = condition.field in _IN_SEARCH_TEXT

    def contains(facts: Facts, _: Surroundings) -> str | None:
        if quick and spelt not in f" {facts.words} ":  # which holds these words and more, ready made
            return None
        return why if any(spelt in f" {' '.join(search_terms.words(one))} " for one in values(facts)) else None

    return contains


def expression(pattern: str) -> Any:  # noqa: ANN401  # RE2 ships no types
    """Return a compiled regular expression, which ignores case.

    Raises:
        BadRequestError: RE2 does not take it.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as problem:
        reason = problem.args[0] if problem.args else ""
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise BadRequestError(
            f"{pattern[:80]!r} is no regular expression that can be used: {told}. Back-references and look-arounds are "
            "not possible, since they can take for ever."
        ) from None


def _names(content: Content) -> Iterable[str]:
    if content.actor:
        yield content.actor.name
        if content.actor.handle:
            yield f"@{content.actor.handle}"


def _addresses(content: Content) -> Iterable[str]:
    if content.url:
        yield content.url
    for link in content.links:
        yield link.url


def _day(moment: datetime) -> int:
    return moment.astimezone(UTC).toordinal()
