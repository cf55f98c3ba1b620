"""Read a document with two independent feed parsers, feedparser and fastfeedparser."""

from __future__ import annotations

from calendar import timegm
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

import fastfeedparser
import feedparser

from aggregator.reader.feeds import atom
from aggregator.reader.feeds.enclosures import foremost

if TYPE_CHECKING:
    from types import ModuleType

    from aggregator.reader.feeds.entries import Entry


@dataclass(frozen=True, slots=True)
class Reading:
    """One item; texts as they are, times to the second."""

    id: str
    title: str
    link: str
    published: datetime | None
    updated: datetime | None
    author: str | None
    content: str
    summary: str
    enclosures: tuple[tuple[str, str], ...]  # address and media type
    media: tuple[tuple[str, str], ...]
    categories: tuple[tuple[str, str | None], ...]


def meant(entry: Entry, written: ModuleType) -> Reading:
    """Return the expected reading."""
    single = foremost(entry.enclosures)
    enclosures = entry.enclosures if written is atom else [single] if single else []
    said_updated = written is atom or entry.updated > entry.published
    return Reading(
        id=entry.id,
        title=entry.title,
        link=entry.link,
        published=entry.published.replace(microsecond=0),
        updated=entry.updated.replace(microsecond=0) if said_updated else None,
        author=entry.author.name if entry.author else None,
        content=entry.html,
        summary=entry.summary if written is atom else escape(entry.summary, quote=False),
        enclosures=tuple((item.url, item.mime) for item in enclosures),
        media=tuple((item.url, item.mime) for item in entry.enclosures),
        categories=tuple((category.term, category.scheme) for category in entry.categories),
    )


def by_feedparser(document: bytes) -> list[Reading]:
    """Read with feedparser, configured to keep markup."""
    found = feedparser.parse(document, sanitize_html=False, resolve_relative_uris=False)
    assert not found.bozo, found.bozo_exception
    return [
        Reading(
            id=entry["id"],
            title=entry["title"],
            link=entry["link"],
            published=_from_parts(entry["published_parsed"]),
            updated=_from_parts(entry["updated_parsed"]) if "updated_parsed" in entry else None,
            author=entry.get("author"),
            content=entry["content"][0]["value"],
            summary=entry["summary"],
            enclosures=tuple((item["href"], item["type"]) for item in entry["links"] if item["rel"] == "enclosure"),
            media=tuple((item["url"], item["type"]) for item in entry.get("media_content", ())),
            categories=tuple((tag["term"], tag["scheme"]) for tag in entry.get("tags", ())),
        )
        for entry in found.entries
    ]


def by_fastfeedparser(document: bytes) -> list[Reading]:
    """Read with fastfeedparser."""
    return [
        Reading(
            id=entry["id"],
            title=entry["title"],
            link=entry["link"],
            published=_from_text(entry["published"]),
            updated=_from_text(entry["updated"]) if "updated" in entry else None,
            author=entry.get("author"),
            content=entry["content"][0]["value"],
            summary=entry["description"],
            enclosures=_attached(entry),
            media=tuple((item["url"], item["type"]) for item in entry.get("media_content", ())),
            categories=tuple((tag["term"], tag["scheme"]) for tag in entry.get("tags", ())),
        )
        for entry in fastfeedparser.parse(document).entries
    ]


def _attached(entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return enclosures: RSS has them as such, Atom among the links."""
    if "enclosures" in entry:
        return tuple((item["url"], item["type"]) for item in entry["enclosures"])
    return tuple((item["href"], item["type"]) for item in entry["links"] if item["rel"] == "enclosure")


def _from_parts(parts: tuple[int, ...]) -> datetime:
    return datetime.fromtimestamp(timegm(parts), UTC)


def _from_text(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def as_guessed(reading: Reading) -> Reading:
    """Return a reading as feedparser guesses: letters that could be UTF-8 read as Latin-1, it reads again."""

    def guessed(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(guessed, value))
        if not isinstance(value, str):
            return value
        try:
            return value.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return value

    return Reading(**{item.name: guessed(getattr(reading, item.name)) for item in fields(reading)})
