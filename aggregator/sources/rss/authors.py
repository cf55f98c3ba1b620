"""Read the names of authors from the ways in which feeds write them: raw texts in, names out. Pure.

All readers collect a `Person` for each author element or value; `author_of` decides who is credited.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass
from string import punctuation
from typing import TYPE_CHECKING, Any

from aggregator.sources.rss.document import Author

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MOST_PEOPLE = 50
_LONGEST = 1000  # characters of a text that contains names
_DEEPEST = 4  # of nested JSON values
_PASSES = 3  # over texts that were escaped more than once

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MARKUP = re.compile(
    r"</?(?:a|abbr|address|b|bdi|bdo|big|br|cite|code|div|em|figure|font|h[1-6]|hr|i|img|ins|label|li|mark|ol|p|small"
    r"|span|strong|sub|sup|svg|time|tt|u|ul|wbr|[a-z]+:[a-z]+)(?=[\s/>])[^<>]{0,900}>|<!--.{0,900}?-->|<https?://[^<>\s]{1,900}>",
    re.IGNORECASE | re.DOTALL,
)
_BREAK = re.compile(r"<(?:br|/p|/li|/div|hr)\b", re.IGNORECASE)
_ADDRESS = (
    r"(?:mailto:\s?[^\s<>()\[\]]+|[^\s<>()\[\],;:\"@/]+(?:@[^\s<>()\[\],;:\"'@/]+){1,4}(?:\?subject=[^\s<>()\[\]]*)?)"
)
_SPELLED = (  # ana [at] site [dot] example
    r"[\w.+-]{1,64}\s?[\[({]\s?(?:at|@)\s?[\])}]\s?[\w-]{1,64}"
    r"(?:(?:\.|\s?[\[({]\s?(?:dot|\.)\s?[\])}]\s?)[\w-]{1,64}){1,8}"
)
# A fediverse handle (@ana@social.example) is a public name, not an e-mail address.
_MAIL = re.compile(rf"(?<![\w@.+-])(?:{_SPELLED}|{_ADDRESS})", re.IGNORECASE)
_MAIL_AND_NAME = re.compile(rf"(?<![\w@.+-])(?:{_SPELLED}|{_ADDRESS})\s{{0,3}}\(([^()]*)\)", re.IGNORECASE)
_HAS_MAIL = re.compile(r"@|mailto:|[\[({]\s?at\s?[\])}]", re.IGNORECASE)
_EMPTY_BRACKETS = re.compile(r"<\s*>|\(\s*\)|\[\s*\]|\"\s*\"")
_SEPARATORS = re.compile(r"\s*([,;])(?:\s*[,;])*")
_ENDS = " \t\r\n,;:|/<>·•–—-"  # noqa: RUF001
_PAIRS = {"(": ")", "[": "]", '"': '"', "“": "”", "'": "'", "<": ">"}
_NOBODY = frozenset({"null", "none", "undefined", "nan", "n/a", "unknown", "noreply", "no-reply", "[object object]"})
_NAMES = ("name", "display_name", "displayName", "full_name", "nickname", "username")
_GIVEN = (("first_name", "last_name"), ("firstName", "lastName"), ("given_name", "family_name"), ("first", "last"))


@dataclass(frozen=True, slots=True)
class Person:
    """An author as written: a text, or a name with an address."""

    text: str  # a name, a mail address, or both
    url: str | None = None
    avatar: str | None = None
    fallback: bool = False  # credited only without other authors: the show of a podcast


def author_of(people: Iterable[Person]) -> Author | None:
    """Return whom to credit, in order and without duplicates; None if none of the people has a name.

    A mail address is never a name, and never published.
    """
    named = [(person, name) for person in people if (name := name_in(person.text))][:_MOST_PEOPLE]
    first = [pair for pair in named if not pair[0].fallback] or named[:1]
    credited: dict[str, tuple[Person, str]] = {}
    for person, name in first:
        known = credited.setdefault(name.casefold(), (person, name))
        if known[0].url is None and person.url is not None:
            credited[name.casefold()] = (person, known[1])
    unique = [pair for key, pair in credited.items() if not _is_listed(key, credited)]
    if not unique:
        return None
    person = unique[0][0]
    if len(unique) > 1:  # the page and picture of one of several people would stand for all of them
        return Author(tuple(name for _, name in unique))
    return Author((unique[0][1],), _page(person.url), person.avatar)


def name_in(text: str) -> str | None:
    """Return the name in an author's text, without mail addresses, tags and entities."""
    value = _plain(text[:_LONGEST])
    if _HAS_MAIL.search(value):
        value = _without_mail(value)
    value = _tidy(value)
    return None if value.casefold() in _NOBODY else value or None


def joined(names: Sequence[str], lang: str | None = None) -> str:
    """Join names as people write them in a language: "Ana, Ben and Cleo"."""
    if len(names) <= 1:
        return names[0] if names else ""
    return _joined_in(lang, names) or f"{', '.join(names[:-1])} and {names[-1]}"


def people_in(value: Any, depth: int = 0) -> Iterator[Person]:  # noqa: ANN401 - any JSON
    """Yield the authors in a JSON value: a name, an object, or lists and objects of them."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield Person(value)
    elif isinstance(value, list):
        for item in value[:_MOST_PEOPLE]:
            yield from people_in(item, depth + 1)
    elif isinstance(value, dict):
        yield from _of_object(value, depth)


def _of_object(value: dict[str, Any], depth: int) -> Iterator[Person]:
    url, avatar = (_text(value.get("url")), _text(value.get("avatar")))
    name = next((name for key in _NAMES if (name := value.get(key))), None)
    if name is None:
        parts = next((pair for pair in _GIVEN if any(_text(value.get(key)) for key in pair)), ())
        name = " ".join(filter(None, (_text(value.get(key)) for key in parts))) or None
    if isinstance(name, str):
        yield Person(name, url, avatar)
    elif name is not None:
        yield from people_in(name, depth + 1)
    else:  # {"author": {...}}, or a list that became an object: {"0": {...}}
        for key, inner in list(value.items())[:_MOST_PEOPLE]:
            if isinstance(inner, dict | list) or key in {"author", "authors"} or key.isdigit():
                yield from people_in(inner, depth + 1)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _plain(text: str) -> str:
    """Remove tags and resolve entities, also if they were escaped more than once."""
    for _ in range(_PASSES):
        plain = text
        if "<" in plain:
            plain = _MARKUP.sub("", _BREAK.sub(lambda found: f", {found[0]}", plain))
        if "&" in plain:
            plain = _ENTITY.sub(lambda found: entities.unescape(found[0]), plain)
        if plain == text:
            break
        text = plain
    return "".join(character if character.isprintable() else " " for character in text)


def _without_mail(text: str) -> str:
    text = _MAIL_AND_NAME.sub(r" \1 ", text)  # RSS: mail (name)
    text = _EMPTY_BRACKETS.sub(" ", _MAIL.sub(" ", text))
    return _SEPARATORS.sub(r"\1 ", text)


def _tidy(text: str) -> str:
    """Remove separators and brackets that surround a name after its mail address was removed."""
    text = " ".join(_EMPTY_BRACKETS.sub(" ", text).split())
    for _ in range(_PASSES):
        before = text
        text = " ".join(text.strip(_ENDS).split())
        closing = _PAIRS.get(text[:1])
        if closing and len(text) > 1 and text.endswith(closing) and _wraps(text, closing):
            text = text[1:-1]
        if text == before:
            break
    return "" if all(character in punctuation for character in text) else text


def _wraps(text: str, closing: str) -> bool:
    """Return whether the first bracket of a text is closed by its last one."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == text[0] and (closing != text[0] or place == 0)) - (character == closing and place > 0)
        if depth == 0:
            return place == len(text) - 1
    return False


def _is_listed(name: str, names: Iterable[str]) -> bool:
    """Return whether another author's text already lists a name: "Ana" and "Ana, Ben"."""
    return any(name in re.split(r"\s*[,;&]\s*|\s+and\s+", other) for other in names if other != name)


def _page(url: str | None) -> str | None:
    """Return the address of an author's page; a mail address in its place is not published."""
    url = (url or "").strip()
    return None if not url or url.lower().startswith("mailto:") or _MAIL.fullmatch(url) else url


def _joined_in(lang: str | None, names: Sequence[str]) -> str | None:
    tag = (lang or "").replace("_", "-")
    if tag.partition("-")[0].lower() in {"", "en"}:
        return None
    from babel import Locale, UnknownLocaleError  # imported late: few entries have several authors
    from babel.lists import format_list

    try:
        return format_list(list(names), locale=Locale.parse(tag, sep="-"))
    except (ValueError, UnknownLocaleError, TypeError):
        return None
