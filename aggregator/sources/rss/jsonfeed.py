"""Read JSON Feed 1.0 and 1.1: bytes in, `Document` out. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import Media
from aggregator.domain.errors import UnreadableError
from aggregator.sources.rss.authors import author_of, people_in
from aggregator.sources.rss.control_characters import cleaned
from aggregator.sources.rss.dates import first_doubt, read_date
from aggregator.sources.rss.document import Document, Entry, Markup, ReadEntries
from aggregator.sources.rss.entry_limit import newest
from aggregator.sources.rss.media_types import media_type, whole
from aggregator.sources.rss.time_zones import region_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.sources.rss.document import Author
    from aggregator.sources.rss.time_zones import Region

_MOST_TAGS = 200
_LABELS = ("label", "name", "title", "term")
_VERSION = "jsonfeed.org/version/"


def read(body: bytes, url: str = "") -> Document | None:
    """Read a JSON Feed; return None for other JSON.

    Args:
        body: the document.
        url: its own URL; may be empty.

    Raises:
        UnreadableError: it is not valid JSON.
    """
    try:
        feed, repairs = _loaded(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as problem:
        raise UnreadableError(f"The JSON is broken: {problem}. Tell the publisher.") from None
    if not isinstance(feed, dict) or _VERSION not in str(feed.get("version", "")):
        return None
    items = [item for item in _list(feed, "items") if isinstance(item, dict)]
    document = Document(
        title=_words(feed, "title"),
        link=_text(feed, "home_page_url"),
        author=_author(feed),
        lang=_text(feed, "language"),
        image=_text(feed, "icon") or _text(feed, "favicon"),
    )
    region = region_in(document, url)
    chosen, notes = newest([(item.get("date_published") or item.get("date_modified")) for item in items], region)
    return replace(
        document, entries=ReadEntries([_entry(items[index], region) for index in chosen]), notes=repairs + notes
    )


def _loaded(text: str) -> tuple[Any, tuple[str, ...]]:
    """Parse JSON, and return it with notes on its repairs.

    Raises:
        ValueError, RecursionError: it is broken.
    """
    try:
        value, notes = json.loads(text), ()
    except json.JSONDecodeError:
        value = json.loads(text, strict=False)
        return cleaned(value), ("Texts in the JSON contain line breaks or control characters that are not escaped.",)
    return cleaned(value) if "\\u" in text else value, notes


def _entry(item: dict[str, Any], region: Region) -> Entry:
    html = _text(item, "content_html")
    text = _text(item, "content_text") or _text(item, "summary")
    image = _text(item, "image") or _text(item, "banner_image")
    texts = {"published": item.get("date_published"), "updated": item.get("date_modified")}
    published, updated = (read_date(text, region) for text in texts.values())
    return Entry(
        id=_id(item.get("id")),
        link=_text(item, "url") or _text(item, "external_url"),
        title=_words(item, "title"),
        body=Markup(html, html=True) if html else Markup(text, html=False) if text else None,
        author=_author(item),
        lang=_text(item, "language"),
        published=published,
        updated=updated,
        date_doubt=first_doubt(texts, (published, updated, None), region),
        tags=tuple(_tags(item.get("tags"))),
        media=tuple(_media(item, image)),
        image=image,
        raw=json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"),
    )


def _id(value: object) -> str | None:
    """Return an id as text; feeds of version 1 used numbers."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(values: dict[str, Any], name: str) -> str | None:
    value = values.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _list(values: dict[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    return value if isinstance(value, list) else []


def _words(values: dict[str, Any], name: str) -> Markup | None:
    value = _text(values, name)
    return Markup(value, html=False) if value else None


def _tags(value: object) -> Iterator[str]:
    """Yield tags: names, objects with a name, or a text with commas."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    for part in parts[:_MOST_TAGS]:
        named = next(filter(None, (_text(part, key) for key in _LABELS)), None) if isinstance(part, dict) else part
        if isinstance(named, str) and named.strip():
            yield named.strip()


def _author(values: dict[str, Any]) -> Author | None:
    """Return the authors in any shape: feeds use names, objects and lists for either field."""
    return author_of(people_in(values.get("authors"))) or author_of(people_in(values.get("author")))


def _media(item: dict[str, Any], image: str | None) -> Iterator[Media]:
    for attachment in _list(item, "attachments"):
        url = _text(attachment, "url") if isinstance(attachment, dict) else None
        if not url:
            continue
        mime = _text(attachment, "mime_type")
        length = attachment.get("duration_in_seconds")
        plays = isinstance(length, int | float) and length > 0
        yield Media(
            media_type(mime, None, url),
            url,
            alt=_text(attachment, "title"),
            mime=mime,
            bytes=whole(str(attachment.get("size_in_bytes"))),
            duration=float(length) if plays else None,
        )
    if image:
        yield Media("image", image)
