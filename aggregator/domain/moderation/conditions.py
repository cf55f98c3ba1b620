"""Evaluate the conditions of rules. Pure.

Plain matching folds case and accents and compares whole words. Regular expressions use RE2, whose time is linear in the
text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import re2

from aggregator.domain.activity import quoted_in
from aggregator.domain.errors import BadRequestError
from aggregator.text import search_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aggregator.domain.activity import Content, NewActivity
    from aggregator.domain.matching.near_duplicates import MinHashIndex

LONGEST_VALUE = 500
_LONGEST_HOURS = 24 * 7
_MEMORY = 4 << 20  # bytes of memory for one RE2 expression
_SHOWN = 60  # characters of a value in a message


class Field(StrEnum):
    """The field that a condition examines; embedded posts of quotes and reposts are included."""

    TEXT = "text"  # title and text
    TITLE = "title"
    AUTHOR = "author"  # name, or handle with @
    URL = "url"  # of the item and its links
    HASHTAG = "hashtag"
    KIND = "kind"
    SOURCE = "source"  # slug
    LANGUAGE = "language"
    REPOST = "repost"
    REPLY = "reply"
    SENSITIVE = "sensitive"
    UNDESCRIBED = "undescribed"  # has an image without alternative text
    DAILY_CAP = "cap"  # its source has more than this many items today (UTC)
    NEAR_DUPLICATE = "duplicate"  # similar to an item of the last hours


class Operator(StrEnum):
    """How a field is compared with a value."""

    CONTAINS = "contains"
    IS = "is"
    STARTS = "starts"
    MATCHES = "matches"  # a regular expression


FLAGS = frozenset({Field.REPOST, Field.REPLY, Field.SENSITIVE, Field.UNDESCRIBED})
NUMBERS = frozenset({Field.DAILY_CAP, Field.NEAR_DUPLICATE})
LIMITS = {Field.DAILY_CAP: 10_000, Field.NEAR_DUPLICATE: _LONGEST_HOURS}  # the highest values of `NUMBERS`
EXACT = frozenset({Field.KIND, Field.SOURCE, Field.LANGUAGE})  # compared as a whole
_NAMES = {
    Field.TEXT: "the text", Field.TITLE: "the title", Field.AUTHOR: "the author", Field.URL: "a link",
    Field.HASHTAG: "a hashtag", Field.KIND: "the type", Field.SOURCE: "the source", Field.LANGUAGE: "the language",
}  # fmt: skip
_FLAG_NAMES = {
    Field.REPOST: "is a repost", Field.REPLY: "is a reply", Field.SENSITIVE: "is marked as sensitive",
    Field.UNDESCRIBED: "has an image without description",
}  # fmt: skip
_HOW = {
    Operator.CONTAINS: "contains", Operator.IS: "is", Operator.STARTS: "starts with", Operator.MATCHES: "matches",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition. Flags have no value; numbers have no operator."""

    field: Field
    operator: Operator = Operator.CONTAINS
    value: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of an item that conditions examine; unneeded ones may be empty."""

    source: str  # slug
    arrived: datetime
    kind: str = ""
    title: str = ""
    text: str = ""  # title and text, also of the embedded post
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
    """Recent items: counts by source and day (UTC), and the index for near-duplicates."""

    counts: dict[tuple[str, int], int]
    recent: MinHashIndex | None = None

    def came(self, facts: Facts) -> int:
        """Return the number of earlier items of the same source and day."""
        return self.counts.get((facts.source, _day(facts.arrived)), 0)

    def note(self, facts: Facts) -> None:
        """Count an item after it was evaluated."""
        day = (facts.source, _day(facts.arrived))
        self.counts[day] = self.counts.get(day, 0) + 1
        if self.recent is not None:
            self.recent.note(facts.words, facts.keys, facts.source, facts.arrived)


Test = Callable[[Facts, Surroundings], "str | None"]  # why it matches, or None
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
    """Return the facts of a new activity."""
    contents = [new.content, *([new.object.content] if new.object else [])]
    media = [medium for content in contents for medium in content.media]
    return Facts(
        source=source,
        arrived=now,
        kind=new.content.kind.value,
        title="\n".join(filter(None, (content.title for content in contents))),
        text="\n".join(part for content in (*contents, *_quoted(new)) for part in _parts(content) if part),
        words=words,
        authors=tuple(name for content in contents for name in _names(content)),
        urls=tuple(address for content in contents for address in _addresses(content)),
        hashtags=tuple(tag for content in contents for tag in content.hashtags),
        lang=(new.content.lang or "").lower(),
        repost=new.content.kind.value == "repost",
        reply=new.content.in_reply_to is not None or new.content.kind.value == "reply",
        sensitive=any(content.sensitive for content in contents),
        undescribed=any(medium.type == "image" and not medium.alt for medium in media),
        keys=tuple(filter(None, (new.key, new.object_key))),
    )


def _quoted(new: NewActivity) -> list[Content]:
    quoted = quoted_in(new)
    return [quoted.content] if quoted else []


def _parts(content: Content) -> Iterator[str | None]:
    """Yield the texts that people see: also the options of a vote and the previews of links."""
    yield from (content.title, content.text)
    yield from content.poll.options if content.poll else ()
    for link in content.links:
        yield from (link.title, link.description)


def described(condition: Condition) -> str:
    """Return a condition in words."""
    value = condition.value if len(condition.value) <= _SHOWN else condition.value[:_SHOWN] + "…"
    if condition.field in FLAGS:
        text = f"it {_FLAG_NAMES[condition.field]}"
    elif condition.field is Field.DAILY_CAP:
        text = f"more than {value} items came from its source that day"
    elif condition.field is Field.NEAR_DUPLICATE:
        text = f"it is a near-duplicate within {value} hours"
    else:
        text = f"{_NAMES[condition.field]} {_HOW[condition.operator]} “{value}”"
    return f"not ({text})" if condition.negated else text


def compiled(condition: Condition) -> Test:
    """Return the test of a condition.

    Raises:
        BadRequestError: it is invalid; the message names the reason.
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
        return lambda facts, _: why if any(pattern.search(text) for text in values(facts)) else None
    if field in EXACT:
        expected = value.lower()
        return lambda facts, _: why if expected in values(facts) else None
    return _worded(condition, values, why)


def _numbered(field: Field, value: str, why: str) -> Test:
    most = LIMITS[field]
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
        raise BadRequestError(f"{value[:20]!r} isn't a whole number from 1 to {most}.")
    number = int(value)
    if field is Field.DAILY_CAP:
        return lambda facts, around: why if around.came(facts) >= number else None

    def resembles(facts: Facts, around: Surroundings) -> str | None:
        found = around.recent and around.recent.like(facts.words, facts.keys, facts.source, facts.arrived, number)
        return why if found else None

    return resembles


def _worded(condition: Condition, values: _Values, why: str) -> Test:
    """Compare in searchable form: case and accents are ignored, words are whole."""
    folded = search_terms.searchable(
        condition.value.removeprefix("#") if condition.field is Field.HASHTAG else condition.value
    )
    spelt = f" {' '.join(search_terms.words(condition.value))} "
    if condition.operator is Operator.IS:
        return lambda facts, _: why if any(search_terms.searchable(text) == folded for text in values(facts)) else None
    if condition.operator is Operator.STARTS:
        return lambda facts, _: (
            why if any(search_terms.searchable(text).startswith(folded) for text in values(facts)) else None
        )
    if condition.field is Field.URL or not spelt.strip():  # parts of URLs, and symbols without words
        return lambda facts, _: why if any(folded in search_terms.searchable(text) for text in values(facts)) else None
    quick = condition.field in _IN_SEARCH_TEXT

    def contains(facts: Facts, _: Surroundings) -> str | None:
        if quick and spelt not in f" {facts.words} ":  # a quick check: search_text contains these words and more
            return None
        return why if any(spelt in f" {' '.join(search_terms.words(text))} " for text in values(facts)) else None

    return contains


def expression(pattern: str) -> Any:  # noqa: ANN401  # RE2 ships no types
    """Return a compiled, case-insensitive regular expression.

    Raises:
        BadRequestError: RE2 rejects it.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as problem:
        argument = problem.args[0] if problem.args else ""
        reason = argument.decode("utf-8", "replace") if isinstance(argument, bytes) else str(argument)
        raise BadRequestError(
            f"{pattern[:80]!r} isn't a valid regular expression: {reason}. Back-references and look-arounds are "
            "not supported."
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
