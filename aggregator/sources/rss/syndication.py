"""RSS, RDF, Atom and CDF, read by feedparser: bytes in, `Document` out. The only importer of feedparser.

It never fetches, and neither cleans nor resolves what is inside HTML: both cost half its time, and are done better
afterwards.
"""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax import SAXException

import feedparser

from aggregator.activity import Media
from aggregator.errors import UnreadableError
from aggregator.sources.rss import monsters
from aggregator.sources.rss.document import MOST_ENTRIES, Author, Document, Entry, Markup
from aggregator.sources.rss.media_rss import straightened
from aggregator.sources.rss.media_types import media_type, seconds, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY_START = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:item|entry)[\s/>]")
_ENTRY_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?(?:item|entry)\s*>")
_UTF16 = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
_DECLARED = re.compile(r"^\s*<\?xml[^>]*\?>")
_MAIL_AND_NAME = re.compile(r"\S+@\S+\s*\((?P<behind>[^()]+)\)|(?P<before>[^<@]*[^<@\s])\s*<\S+@\S+>|\S+@\S+")
_HTML = frozenset({"text/html", "application/xhtml+xml"})
# Its first parse fills a table that all parsers share; two threads must not meet there.
feedparser.parse(io.BytesIO(b"<rss/>"))


def read(body: bytes, content_type: str) -> Document | None:
    """Read a feed; None where the document is none.

    Raises:
        UnreadableError: it looks like a feed, but is broken before the first entry, or is absurdly large.
    """
    body, charset = _ascii_compatible(body, content_type)
    body, notes = _shortened(body)
    monsters.refuse(body)
    parsed = feedparser.parse(
        io.BytesIO(straightened(body)),
        response_headers={"content-type": charset},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    trouble = parsed.get("bozo_exception")
    broken = isinstance(trouble, SAXException)
    if not parsed.get("version") and not parsed.entries:
        return None
    if broken and not parsed.entries:
        raise UnreadableError(f"The feed's XML is broken: {_place(trouble)}. Tell the publisher.")
    if broken:
        notes += (f"The feed's XML is broken ({_place(trouble)}); what could be made out was taken.",)
    return _document(parsed.feed, parsed.entries[:MOST_ENTRIES], parsed.get("version", ""), notes)


def _ascii_compatible(body: bytes, content_type: str) -> tuple[bytes, str]:
    """Return the body in an encoding whose tags can be counted as bytes, and the content type to go with it."""
    if body.startswith(b"\xef\xbb\xbf"):
        return body, "application/xml; charset=utf-8"  # a byte order mark knows better than a header
    for mark, encoding in _UTF16:
        if body.startswith(mark):
            text = _DECLARED.sub("", body.decode(encoding, "replace").removeprefix("\ufeff"))
            return text.encode(), "application/xml; charset=utf-8"
    return body, content_type or "application/xml"


def _shortened(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Cut what follows the 500th entry before it costs time and memory; the end of the document stays in place."""
    starts = list(_ENTRY_START.finditer(body))
    if len(starts) <= MOST_ENTRIES:
        return body, ()
    cut = starts[MOST_ENTRIES].start()
    end = body.find(b">", starts[-1].start()) + 1
    for end_tag in _ENTRY_END.finditer(body, cut):
        end = max(end, end_tag.end())
    return body[:cut] + body[end:], (f"The feed has {len(starts)} entries; the first {MOST_ENTRIES} were taken.",)


def _place(trouble: Any) -> str:  # noqa: ANN401 - feedparser is untyped
    message = getattr(trouble, "getMessage", lambda: str(trouble))()
    line = getattr(trouble, "getLineNumber", lambda: None)()
    return f"{message}, line {line}" if line else str(message)


def _document(feed: Any, entries: list[Any], version: str, notes: tuple[str, ...]) -> Document:  # noqa: ANN401
    return Document(
        title=_markup(feed, "title"),
        link=_text(feed, "link"),
        author=_author(feed),
        lang=_text(feed, "language"),
        image=_image(feed) or _text(feed, "icon") or _text(feed, "logo"),
        entries=tuple(_entry(entry, atom=version.startswith("atom")) for entry in entries),
        notes=notes,
        follows_base=version.startswith("atom"),
    )


def _entry(entry: Any, *, atom: bool) -> Entry:  # noqa: ANN401 - feedparser is untyped
    body, lang = _body(entry, atom=atom)
    published = _moment(entry, "published_parsed") or _moment(entry, "created_parsed")
    image = _image(entry)
    return Entry(
        id=_text(entry, "id"),
        link=_text(entry, "link"),
        title=_markup(entry, "title"),
        body=body,
        author=_author(entry),
        lang=lang or _text(_plain(entry, "title_detail", {}), "language"),
        published=published,
        updated=_moment(entry, "updated_parsed"),
        tags=tuple(term for tag in _plain(entry, "tags", []) if (term := _text(tag, "term") or _text(tag, "label"))),
        media=tuple(_media(entry, image)),
        image=image,
        raw=json.dumps(entry, separators=(",", ":"), ensure_ascii=False, default=str).encode("utf-8", "replace"),
    )


def _plain(values: Any, name: str, default: Any = None) -> Any:  # noqa: ANN401 - feedparser is untyped
    """Look a name up without feedparser's aliases, which answer with other fields and warn about it."""
    value = dict.get(values, name, default)
    return default if value is None else value


def _text(values: Any, name: str) -> str | None:  # noqa: ANN401 - feedparser is untyped
    value = _plain(values, name)
    return value.strip() or None if isinstance(value, str) else None


def _moment(values: Any, name: str) -> datetime | None:  # noqa: ANN401 - feedparser is untyped
    parts = _plain(values, name)
    try:
        year, month, day, hour, minute, second = parts[:6]
        # A leap second, or one that only a typing error explains, runs over into the next minute.
        return datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(seconds=second)
    except (TypeError, ValueError, OverflowError):
        return None


def _markup(values: Any, name: str) -> Markup | None:  # noqa: ANN401 - feedparser is untyped
    value = _text(values, name)
    detail = _plain(values, f"{name}_detail", {})
    if value is None:
        return None
    return Markup(value, html=_plain(detail, "type") in _HTML, base=_text(detail, "base") or "")


def _body(entry: Any, *, atom: bool) -> tuple[Markup | None, str | None]:  # noqa: ANN401 - feedparser is untyped
    """Choose the fullest text: the content before the summary, and in RSS what is HTML before what is not.

    feedparser files iTunes' plain summary under content, where an RSS item has an HTML description too.
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


def _author(values: Any) -> Author | None:  # noqa: ANN401 - feedparser is untyped
    """Return the first author who has a name; a bare e-mail address is nobody's to publish."""
    mail = _MAIL_AND_NAME.fullmatch(_text(values, "author") or "")
    if mail:  # feedparser cuts such a mail address in the wrong place
        name = mail["behind"] or mail["before"]
        return Author(name) if name else None
    for author in [*_plain(values, "authors", []), _plain(values, "author_detail", {})]:
        name = _text(author, "name")
        if name and "@" not in name:
            return Author(name, _text(author, "href"))
    return None


def _image(values: Any) -> str | None:  # noqa: ANN401 - feedparser is untyped
    image = _plain(values, "image", {})
    return (_text(image, "href") or _text(image, "url")) if isinstance(image, dict) else None


def _media(entry: Any, image: str | None) -> Iterator[Media]:  # noqa: ANN401 - feedparser is untyped
    duration = seconds(_text(entry, "itunes_duration"))
    for link in _plain(entry, "links", []):
        url = _text(link, "href")
        if url and _plain(link, "rel") == "enclosure":
            mime = _text(link, "type")
            kind = media_type(mime, None, url)
            plays = kind in {"audio", "video"}
            yield Media(
                kind,
                url,
                mime=mime,
                bytes=whole(_text(link, "length")),
                duration=duration if plays else None,
                preview=image if plays else None,
            )
    for content in _plain(entry, "media_content", []):
        url = _text(content, "url")
        if url:
            mime = _text(content, "type")
            yield Media(
                media_type(mime, _text(content, "medium"), url),
                url,
                alt=_text(content, "alt") or _text(content, "caption"),
                mime=mime,
                bytes=whole(_text(content, "filesize")),
                width=whole(_text(content, "width")),
                height=whole(_text(content, "height")),
                duration=seconds(_text(content, "duration")),
                preview=_text(content, "preview"),
            )
    for thumbnail in _plain(entry, "media_thumbnail", []):
        url = _text(thumbnail, "url")
        if url:
            width, height = whole(_text(thumbnail, "width")), whole(_text(thumbnail, "height"))
            yield Media("thumbnail", url, width=width, height=height)
