"""Render a post's text with its facets as plain text and as clean HTML. Pure.

Facets have offsets in bytes of the text in UTF-8, end exclusive. A facet that overlaps an earlier one, is out of range
or divides a character is ignored.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.activity import Link, Mention
from aggregator.source_api.untrusted_json import Record, address, record, records, text
from aggregator.sources.bluesky.addresses import hashtag_page, is_did, profile_page
from aggregator.sources.bluesky.lexicon import type_of
from aggregator.text.html import clean_html

if TYPE_CHECKING:
    from collections.abc import Iterator

_FACET = "app.bsky.richtext.facet#"
_MOST = 200  # facets
_CUT = re.compile(r"(?:…|\.\.\.)$")
_PARAGRAPH = re.compile(r"(?:<br>\s*){2,}")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which JSON can contain and UTF-8 can't
_CONTINUES = 0xC0, 0x80  # mask and value of a byte of UTF-8 that continues a character


@dataclass(frozen=True, slots=True)
class Markup:
    """A rendered text and the targets of its links."""

    text: str = ""
    html: str = ""
    links: tuple[Link, ...] = ()
    hashtags: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()


class _Span(NamedTuple):
    """A part of the text; `target` is the address to which it links, if any."""

    words: str
    target: str | None = None
    link: Link | None = None
    mention: Mention | None = None
    hashtag: str | None = None

    @property
    def plain(self) -> str:
        """The words, or the whole address if they are a shortened one."""
        if self.link is None:
            return self.words
        start = _CUT.sub("", self.words)
        bare = self.link.url.partition("://")[2]
        return (
            self.link.url if start != self.words and bare.startswith(start.partition("://")[2] or start) else self.words
        )

    @property
    def html(self) -> str:
        """The words as HTML."""
        words = html.escape(self.words, quote=False)
        if self.target is None:
            return re.sub(r"\r\n?|\n", "<br>", words)
        return f'<a href="{html.escape(self.target)}">{" ".join(words.split())}</a>'


def render(words: str, facets: object) -> Markup:
    """Return plain text and HTML of a post's text."""
    spans = list(_spans(words, facets))
    parts = _PARAGRAPH.split("".join(span.html for span in spans).strip())
    return Markup(
        text="".join(span.plain for span in spans).strip(),
        html=clean_html("".join(f"<p>{part}</p>" for part in parts if part.strip())),
        links=tuple(dict.fromkeys(span.link for span in spans if span.link)),
        hashtags=tuple(dict.fromkeys(span.hashtag for span in spans if span.hashtag)),
        mentions=tuple(dict.fromkeys(span.mention for span in spans if span.mention)),
    )


def _spans(words: str, facets: object) -> Iterator[_Span]:
    data, at = _SURROGATE.sub("\ufffd", words).encode(), 0  # as many bytes
    for start, end, facet in sorted(_placed(facets, data), key=lambda placed: placed[:2]):
        part = data[start:end].decode()
        if start < at or (span := _span(part, records(facet.get("features")))) is None:
            continue
        yield _Span(data[at:start].decode())
        yield span
        at = end
    yield _Span(data[at:].decode())


def _placed(facets: object, data: bytes) -> Iterator[tuple[int, int, Record]]:
    for facet in records(facets)[:_MOST]:
        index = record(facet.get("index"))
        start, end = index.get("byteStart"), index.get("byteEnd")
        if type(start) is int and type(end) is int and 0 <= start < end <= len(data):
            mask, value = _CONTINUES
            if all(place == len(data) or data[place] & mask != value for place in (start, end)):
                yield start, end, facet


def _span(words: str, features: list[Record]) -> _Span | None:
    """Return a part with the first of its features that is known."""
    for feature in features:
        match type_of(feature).removeprefix(_FACET):
            case "link" if url := address(feature.get("uri")):
                return _Span(words, url, link=Link(url, " ".join(words.split()) or None))
            case "mention" if is_did(did := feature.get("did")):
                name = words.strip().removeprefix("@")
                return _Span(words, profile_page(str(did)), mention=Mention(name, str(did), profile_page(str(did))))
            case "tag" if topic := text(feature.get("tag"), 200).strip().removeprefix("#"):
                return _Span(words, hashtag_page(topic), hashtag=topic)
    return None
