"""Read RSS, RDF, Atom and CDF with feedparser: bytes in, `Document` out. The only importer of feedparser.

feedparser never fetches here, and it neither cleans nor resolves HTML content: both take half its time, and later steps
do them better.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.sax import SAXException

import feedparser
from feedparser.api import StrictFeedParser
from feedparser.datetimes import _parse_date

from aggregator.domain.errors import UnreadableError
from aggregator.sources.rss import complexity_limits
from aggregator.sources.rss.document import Document, Entry, ReadEntries
from aggregator.sources.rss.entry_limit import shortened
from aggregator.sources.rss.fast_xml.charset import UTF8, as_utf8, ascii_compatible
from aggregator.sources.rss.feed_metadata import announced_in
from aggregator.sources.rss.feedparser_marks import marked
from aggregator.sources.rss.fields import document_of, entry_of
from aggregator.sources.rss.limits import MOST_ENTRIES
from aggregator.sources.rss.media_rss import straightened

if TYPE_CHECKING:
    from aggregator.sources.rss.fields import Fields

# Elements that feedparser handles, as its methods spell them: "title", "dc_creator".
HANDLED = frozenset(
    name.removeprefix("_start_").removeprefix("_end_").lower()
    for name in dir(StrictFeedParser)
    if name.startswith(("_start_", "_end_"))
)
# Namespaces that feedparser knows, in lower case, each with its prefix.
NAMESPACES: dict[str, str] = {uri.lower(): prefix.lower() for uri, prefix in StrictFeedParser.namespaces.items()}
# The first parse fills a table shared by all parsers; two threads must not do that at once.
feedparser.parse(io.BytesIO(b"<rss/>"))


def read(body: bytes, content_type: str) -> Document | None:
    """Read a feed; return None if the document is not one.

    Raises:
        UnreadableError: it looks like a feed, but is broken before the first entry or far too large.
    """
    body, content_type = ascii_compatible(body, content_type)
    known = as_utf8(body, content_type)  # feedparser would guess the encoding
    body, content_type = (body, content_type) if known is None else (known, UTF8)
    body, notes = shortened(body)
    complexity_limits.refuse(body)
    parsed = _parsed(body, content_type)
    trouble = parsed.get("bozo_exception")
    broken = isinstance(trouble, SAXException)
    if not parsed.get("version") and not parsed.entries:
        return None
    if broken and not parsed.entries:
        raise UnreadableError(f"The feed's XML is broken: {_place(trouble)}. Tell the publisher.")
    if broken:
        notes += (f"The feed's XML is broken ({_place(trouble)}); the readable part was used.",)
    atom = parsed.get("version", "").startswith("atom")
    return replace(
        document_of(parsed.feed, atom=atom),
        entries=ReadEntries([_entry(entry, atom=atom) for entry in parsed.entries[:MOST_ENTRIES]]),
        notes=notes,
        announced=announced_in(body),
    )


def _parsed(body: bytes, content_type: str) -> Any:  # noqa: ANN401 - feedparser is untyped
    try:
        return feedparser.parse(
            io.BytesIO(marked(straightened(body))),
            response_headers={"content-type": content_type},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as problem:  # some values crash it in many ways: places, chapters, licenses
        raise UnreadableError(
            f"Something in the feed can't be read ({type(problem).__name__}: {problem}). Tell the publisher."
        ) from problem


def moment(text: str) -> datetime | None:
    """Parse a date in any format that feedparser supports."""
    return _datetime(_parse_date(text))


def looks_like_html(text: str) -> bool:
    """Return whether feedparser treats a text as HTML although its type is plain."""
    return ("<" in text or "&" in text) and bool(StrictFeedParser.looks_like_html(text))


def _place(trouble: Any) -> str:  # noqa: ANN401 - feedparser is untyped
    message = getattr(trouble, "getMessage", lambda: str(trouble))()
    line = getattr(trouble, "getLineNumber", lambda: None)()
    return f"{message}, line {line}" if line else str(message)


def _moment(values: Fields, name: str) -> datetime | None:
    return _datetime(dict.get(values, name))


def _datetime(parts: Any) -> datetime | None:  # noqa: ANN401 - feedparser is untyped
    try:
        year, month, day, hour, minute, second = parts[:6]
        # A leap second, or a typing error in the seconds, carries over into the next minute.
        return datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(seconds=second)
    except (TypeError, ValueError, OverflowError):
        return None


def _entry(entry: Fields, *, atom: bool) -> Entry:
    published = _moment(entry, "published_parsed") or _moment(entry, "created_parsed")
    raw = json.dumps(entry, separators=(",", ":"), ensure_ascii=False, default=str).encode("utf-8", "replace")
    return entry_of(entry, published, _moment(entry, "updated_parsed"), raw, atom=atom)
