"""Read RSS, RDF, Atom and CDF with feedparser: bytes in, `Document` out. The only importer of feedparser.

feedparser never fetches here, and it neither cleans nor resolves HTML content: both take half its time, and later steps
do them better.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.sax import SAXException
from xml.sax.saxutils import escape

import feedparser

from aggregator.domain.errors import UnreadableError
from aggregator.sources.rss import complexity_limits
from aggregator.sources.rss.base64_text import text_in_base64
from aggregator.sources.rss.charset import UTF8, decoded
from aggregator.sources.rss.dates import first_doubt, read_date
from aggregator.sources.rss.document import UNDETERMINED, Document, Entry, ReadEntries
from aggregator.sources.rss.entry_limit import shortened
from aggregator.sources.rss.feed_metadata import announced_in
from aggregator.sources.rss.feedparser_marks import marked
from aggregator.sources.rss.fields import document_of, entry_of
from aggregator.sources.rss.limits import MOST_ENTRIES
from aggregator.sources.rss.media_rss import straightened
from aggregator.sources.rss.namespaces import USUAL
from aggregator.sources.rss.time_zones import region_in
from aggregator.sources.rss.xml_document import parsed

if TYPE_CHECKING:
    from aggregator.sources.rss.fields import Fields
    from aggregator.sources.rss.time_zones import Region

_BASE64 = re.compile(rb"(<[\w:.-]+\s[^<>]{0,500}?)mode\s?=\s?([\"'])base64\2([^<>]{0,500}>)([A-Za-z0-9+/=\s]+)(?=</)")
_BASE = re.compile(rb"\sxml:base\s*=")
_PERMALINK = re.compile(rb"isPermaLink\s?=\s?[\"']\s?true\s?[\"']", re.IGNORECASE)
_NO_LANGUAGE = re.compile(rb"xml:lang\s?=\s?(?:\"\s?\"|'\s?')")
# The first parse fills a table shared by all parsers; two threads must not do that at once.
feedparser.parse(io.BytesIO(b"<rss/>"))


def read(body: bytes, content_type: str, url: str = "") -> Document | None:
    """Read a feed; return None if the document is not one.

    Args:
        body: the document.
        content_type: the header, for its charset; may be empty.
        url: the document's own URL, against which relative base URLs are resolved; may be empty.

    Raises:
        UnreadableError: it looks like a feed, but is broken before the first entry or far too large.
    """
    body, notes = decoded(body, content_type)
    body, cut = shortened(body)
    _, body, repairs = parsed(body, USUAL)
    notes += cut + repairs
    complexity_limits.refuse(body)
    result = _parsed(body, url)
    trouble = result.get("bozo_exception")
    broken = isinstance(trouble, SAXException)
    if not result.get("version") and not result.entries:
        return None
    if broken and not result.entries:
        raise UnreadableError(f"The feed's XML is broken: {_place(trouble)}. Tell the publisher.")
    if broken:
        notes += (f"The feed's XML is broken ({_place(trouble)}); the readable part was used.",)
    atom = result.get("version", "").startswith("atom")
    document = document_of(result.feed, atom=atom)
    region = region_in(document, url)
    return replace(
        document,
        entries=ReadEntries([_entry(entry, region, atom=atom) for entry in result.entries[:MOST_ENTRIES]]),
        notes=notes,
        announced=announced_in(body),
    )


def _parsed(body: bytes, url: str) -> Any:  # noqa: ANN401 - feedparser is untyped
    headers = {"content-type": UTF8}
    if url and _BASE.search(body):
        headers["content-location"] = url  # without an outer base, feedparser applies a base to all that follows
    body = _without_base64(body)
    body = _PERMALINK.sub(rb'isPermaLink="true"', _NO_LANGUAGE.sub(rb'xml:lang="%s"' % UNDETERMINED.encode(), body))
    try:
        return feedparser.parse(
            io.BytesIO(marked(straightened(body))),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as problem:  # some values crash it in many ways: places, chapters, licenses
        raise UnreadableError(
            f"Something in the feed can't be read ({type(problem).__name__}: {problem}). Tell the publisher."
        ) from problem


def _without_base64(body: bytes) -> bytes:
    """Decode the texts of Atom 0.3 that are in base64, which may be in any encoding."""
    if b"base64" not in body:
        return body
    return _BASE64.sub(_from_base64, body)


def _from_base64(found: re.Match[bytes]) -> bytes:
    text = text_in_base64(found[4].decode())
    return found[0] if text is None else found[1] + b'mode="escaped"' + found[3] + escape(text).encode()


def _place(trouble: Any) -> str:  # noqa: ANN401 - feedparser is untyped
    message = getattr(trouble, "getMessage", lambda: str(trouble))()
    line = getattr(trouble, "getLineNumber", lambda: None)()
    return f"{message}, line {line}" if line else str(message)


def _entry(entry: Fields, region: Region, *, atom: bool) -> Entry:
    texts = {name: dict.get(entry, name) for name in ("published", "updated", "created")}
    published, updated, created = (read_date(text, region) for text in texts.values())
    raw = json.dumps(entry, separators=(",", ":"), ensure_ascii=False, default=str).encode("utf-8", "replace")
    found = entry_of(entry, published or created, updated, raw, atom=atom)
    return replace(found, date_doubt=first_doubt(texts, (published, updated, created), region))
