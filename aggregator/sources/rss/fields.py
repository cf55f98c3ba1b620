"""Convert parsed XML fields to documents and entries; the only place that chooses between fields. Pure.

The fields have feedparser's names ("summary_detail", "media_content"), whichever parser filled them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.sources.rss.attachments import RawMedia, media_in
from aggregator.sources.rss.authors import Person, author_of
from aggregator.sources.rss.document import Document, Entry, Markup
from aggregator.sources.rss.entry_links import page_link
from aggregator.sources.rss.event_elements import event_of
from aggregator.sources.rss.feedparser_marks import FALLBACK, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aggregator.domain.activity import Media
    from aggregator.sources.rss.document import Author

Fields = dict[str, Any]

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_REPLY = "_in-reply-to"


def document_of(feed: Fields, *, atom: bool) -> Document:
    """Return a document from the feed's own fields, without entries."""
    return Document(
        title=_markup(feed, "title"),
        link=page_link(feed, _text(feed, "language")),
        author=_author(feed),
        lang=_text(feed, "language"),
        image=_image(feed) or _text(feed, "icon") or _text(feed, "logo"),
        follows_base=atom,
    )


def entry_of(entry: Fields, published: datetime | None, updated: datetime | None, raw: bytes, *, atom: bool) -> Entry:
    """Return an entry from its fields."""
    body, lang = _body(entry, atom=atom)
    image = _image(entry)
    lang = lang or _text(_plain(entry, "title_detail", {}), "language")
    return Entry(
        id=_text(entry, "id"),
        link=page_link(entry, lang),
        title=_markup(entry, "title"),
        body=body,
        author=_author(entry),
        lang=lang,
        published=published,
        updated=updated,
        tags=tuple(term for tag in _plain(entry, "tags", []) if (term := _text(tag, "label") or _text(tag, "term"))),
        media=_media(entry, image),
        image=image,
        event=event_of(entry, raw),
        reply_to=_reply_to(entry),
        raw=raw,
    )


def _plain(values: Any, name: str, default: Any = None) -> Any:  # noqa: ANN401 - feedparser is untyped
    """Look a name up without feedparser's aliases, which return other fields with a warning.

    An element with the name of one of feedparser's own fields replaces it by a text, which has no names.
    """
    value = dict.get(values, name) if isinstance(values, dict) else None
    return default if value is None else value


def _text(values: Fields, name: str) -> str | None:
    value = _plain(values, name)
    return value.strip() or None if isinstance(value, str) else None


def _markup(values: Fields, name: str) -> Markup | None:
    value = _text(values, name)
    if value is None:
        return None
    detail = _plain(values, f"{name}_detail", {})
    return Markup(value, html=_plain(detail, "type") in _HTML, base=_text(detail, "base") or "")


def _body(entry: Fields, *, atom: bool) -> tuple[Markup | None, str | None]:
    """Choose the fullest text: content before summary, and in RSS HTML before plain text.

    feedparser stores iTunes' plain summary under content, although an RSS item also has an HTML description.
    """
    found = [part for part in _plain(entry, "content", []) if _text(part, "value")]
    summary = _plain(entry, "summary_detail", {})
    if _text(summary, "value"):
        found.append(summary)
    elif _text(entry, "summary"):
        found.append({"value": entry["summary"], "type": "text/html"})
    if not found:
        return None, None
    html = [part for part in found if _plain(part, "type", "text/html") in _HTML]
    part = found[0] if atom or not html else html[0]
    markup = Markup(part["value"], html=_plain(part, "type", "text/html") in _HTML, base=_text(part, "base") or "")
    return markup, _text(part, "language")


def _author(values: Fields) -> Author | None:
    """Return the authors of an entry or feed, else those of the feed from which an entry was copied."""
    source = _plain(values, "source", {})
    return author_of(_people(values)) or (author_of(_people(source)) if isinstance(source, dict) else None)


def _people(values: Fields) -> Iterator[Person]:
    authors = [author for author in _plain(values, "authors", []) if isinstance(author, dict)]
    for author in authors:
        name = _text(author, "name") or ""
        show = _plain(author, "fallback", default=False) or name.startswith(FALLBACK)
        yield Person(unmarked(name), unmarked(_text(author, "href") or ""), fallback=bool(show))


def _image(values: Fields) -> str | None:
    image = _plain(values, "image", {})
    return (_text(image, "href") or _text(image, "url")) if isinstance(image, dict) else None


def _reply_to(entry: Fields) -> str | None:
    """Return the address that an entry replies to; the prefix of that extension varies by feed."""
    for name, value in entry.items():
        if name.endswith(_REPLY) and isinstance(value, dict):
            ref = _text(value, "ref") or ""
            return _text(value, "href") or (ref if ref.startswith(("http:", "https:")) else None)
    return None


def _media(entry: Fields, image: str | None) -> tuple[Media, ...]:
    links, contents, thumbnails = (
        [each for each in _plain(entry, name, []) if isinstance(each, dict)]
        for name in ("links", "media_content", "media_thumbnail")
    )
    return tuple(media_in(RawMedia(links, contents, thumbnails), image, _text(entry, "itunes_duration")))
