"""Sanitize publishers' HTML and convert it to plain text. Pure."""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import nh3

from aggregator.text.html_repair import repaired, with_plain_formulas
from aggregator.text.pictures import is_placeholder, is_tracker
from aggregator.text.urls import DEFAULT_PORTS, canonical_url, escaped

if TYPE_CHECKING:
    from aggregator.text.embedded_media import EmbeddedMedia

MOST_TAGS = 10_000  # beyond this depth the sanitizer's time is quadratic; only the text is kept

_BLOCK_TAGS = (
    "address article aside blockquote caption dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header "
    "hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_INLINE_TAGS = (
    "a abbr b bdi bdo br cite code del dfn em i img ins kbd mark q rp rt ruby s samp small span strong sub sup time u "
    "var wbr"
)
_BLOCKS, _INLINE = frozenset(_BLOCK_TAGS.split()), frozenset(_INLINE_TAGS.split())
_DROPPED = {"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "select", "textarea", "title"}
_ATTRIBUTES = {
    "a": {"href", "title", "hreflang"},
    "abbr": {"title"},
    "bdo": {"dir"},
    "blockquote": {"cite"},
    "del": {"datetime"},
    "img": {"src", "alt", "title", "width", "height"},
    "ins": {"datetime"},
    "ol": {"start", "reversed"},
    "q": {"cite"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
    "*": {"lang", "dir"},
}
_SCHEMES = {"http", "https", "mailto"}

# These patterns parse nh3's regular output: lower-case names, values in double quotes, "<" and ">" escaped.
_IMAGE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')
_PIXEL = re.compile(r' (?:width|height)="\s*0*[01](?:\.0*)?(?:px)?\s*"')
_SOURCE = re.compile(r' src="([^"]*)"')
_SIDE = re.compile(r' (?:width|height)="')
_SIZE = re.compile(r' (?:width|height)="([^"]*)"')
_SANE = re.compile(r"[1-9][0-9]{0,3}|10000")  # pixels
_RELATIVE = re.compile(r' (href|src|cite)="(?!https?:|mailto:)([^"]*)"')
_IN_ADDRESS = "/:@!$&'()*+,;=~%[]|?#"
_BREAKS = re.compile(rf"</?(?:{'|'.join(sorted(_BLOCKS))}|br)(?: [a-z]+=\"[^\"]*\")*>")
_TAG = re.compile(r"<[^>]*>")
_PRE = re.compile(r'(<pre(?: [a-z]+="[^"]*")*>)\n+')  # browsers ignore the first line break
_SPACES = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r"\s*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)]*(?=\s)|[。！？]")  # noqa: RUF001 - the full-width ones end sentences too


class CleanArticle(NamedTuple):
    """An article's HTML, and the films and sounds that were in it."""

    html: str
    media: tuple[EmbeddedMedia, ...] = ()


def clean_html(html: str, base: str | None = None) -> str:
    """Return an article's HTML with nothing in it that acts, styles or tracks.

    Links are absolute http, https or mailto with `rel="nofollow noopener"`; relative ones are resolved against
    `base`, or lose their address without one. Images keep their alternative text, and load when they are seen without
    saying where; placeholders and tracking pixels go. Players become links to what they play.
    """
    return clean_article(html, base).html


def clean_article(html: str, base: str | None = None) -> CleanArticle:
    """Return an article's HTML as `clean_html` does, with the films and sounds that it removes."""
    if not html or html.isspace():
        return CleanArticle("")
    if html.count("<") > MOST_TAGS:
        return CleanArticle(paragraphs(_without_tags(html)))
    repair = repaired(html)
    if repair.html.count("<") > MOST_TAGS:
        return CleanArticle(paragraphs(_without_tags(repair.html)), repair.media)
    clean = _CLEANER.clean(repair.html)
    if _RELATIVE.search(clean):
        start = canonical_url(base) if base else None
        clean = _RELATIVE.sub(lambda found: _resolved(found, start), clean)
    clean = _IMAGE.sub(_image, clean)
    return CleanArticle((_PRE.sub(r"\1", clean) if "<pre" in clean else clean).strip(), repair.media)


def plain_text(html: str) -> str:
    """Return the text of HTML: one line per paragraph, entities decoded once, whitespace folded."""
    if "<" not in html:
        return _folded(entities.unescape(html.replace("\n", " ")))
    if html.count("<") > MOST_TAGS:
        return _folded(entities.unescape(_without_tags(html)))
    return text_of_clean(_STRUCTURE.clean(with_plain_formulas(html)))


def text_of_clean(html: str) -> str:
    """Return the text of HTML that `clean_html` produced, at half the cost of `plain_text`."""
    lines = html.replace("\n", " ").replace("\r", " ")  # a line break in HTML is a space
    text = entities.unescape(_TAG.sub("", _BREAKS.sub("\n", lines)))
    folded = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in folded if line)


def paragraphs(text: str) -> str:
    """Return clean HTML for plain text: blank lines separate paragraphs, single line breaks are kept."""
    parts = re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    escaped = (entities.escape(part.strip(), quote=False).replace("\n", "<br>") for part in parts)
    return "".join(f"<p>{part}</p>" for part in escaped if part)


def excerpt(text: str, length: int = 150) -> str:
    """Return at most `length` characters of a text on one line, cut after a sentence or word, ending in "…"."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    if length < 1:
        return ""
    room = line[: length - 1]
    ends = [found.end() for found in _SENTENCE_END.finditer(line[:length]) if found.end() < length - 1]
    if ends and ends[-1] > length // 2:
        return f"{line[: ends[-1]]} …"
    if not line[length - 1].isspace():
        head, space, _ = room.rpartition(" ")
        room = head if space and len(head) > length // 2 else room
    return f"{room.rstrip(' ,;:–—-')}…"  # noqa: RUF001 - the dash is meant


_CLEANER = nh3.Cleaner(
    tags=set(_BLOCKS | _INLINE),
    clean_content_tags=_DROPPED,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    url_relative="pass_through",  # links are resolved afterwards: one nh3.Cleaner per base URL would be expensive
    link_rel="nofollow noopener",
    strip_comments=True,
)
_STRUCTURE = nh3.Cleaner(tags=set(_BLOCKS | {"br"}), clean_content_tags=_DROPPED, attributes={}, link_rel=None)


def _image(found: re.Match[str]) -> str:
    """Keep an image unless it has no URL, is a tracking pixel or a placeholder."""
    attributes = found[1]
    sides, small = len(_SIDE.findall(attributes)), len(_PIXEL.findall(attributes))
    source = _SOURCE.search(attributes)
    if source is None or (sides and sides == small) or is_placeholder(source[1]) or is_tracker(source[1]):
        return ""
    sane = _SIZE.sub(lambda side: side[0] if _SANE.fullmatch(side[1]) else "", attributes) if sides else attributes
    return f'<img{sane} loading="lazy" decoding="async" referrerpolicy="no-referrer">'


def _resolved(found: re.Match[str], base: str | None) -> str:
    """Return an attribute with its relative URL resolved, or nothing if it is invalid."""
    try:
        address = urljoin(base, entities.unescape(found[2]).strip()) if base else ""
        scheme = urlsplit(address).scheme
    except ValueError:
        return ""
    if scheme not in DEFAULT_PORTS:
        return ""
    return f' {found[1]}="{entities.escape(escaped(address, _IN_ADDRESS))}"'


def _without_tags(html: str) -> str:
    # An unclosed element continues to the end, as in browsers; searching repeatedly for a missing end would be
    # expensive.
    return re.sub(r"(?is)<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^>]*>?", " ", html)


def _folded(text: str) -> str:
    return _NEWLINES.sub("\n", _SPACES.sub(" ", text)).strip()
