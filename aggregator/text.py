"""What publishers wrote, made fit to store, show, compare and search: HTML, plain text, addresses. Pure."""

from __future__ import annotations

import hashlib
import html as entities
import ipaddress
import re
import unicodedata
from urllib.parse import quote, urljoin, urlsplit

import nh3

from aggregator.embeds import with_links_for_players
from aggregator.trackers import without_trackers

MOST_TAGS = 10_000  # beyond this the sanitiser's time grows with the square of the nesting; only the text is kept
LONGEST_SLUG = 40
_LONGEST_NAMED = 1000  # characters that a slug is made of

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

# These read what nh3 wrote, which is regular: lower-case names, every value in double quotes, "<" and ">" escaped.
_IMAGE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')
_PIXEL = re.compile(r' (?:width|height)="\s*0*[01](?:\.0*)?(?:px)?\s*"')
_SIDE = re.compile(r' (?:width|height)="')
_SIZE = re.compile(r' (?:width|height)="([^"]*)"')
_SANE = re.compile(r"[1-9][0-9]{0,3}|10000")  # pixels
_RELATIVE = re.compile(r' (href|src|cite)="(?!https?:|mailto:)([^"]*)"')
_IN_ADDRESS = "/:@!$&'()*+,;=~%[]|?#"
_BREAKS = re.compile(rf"</?(?:{'|'.join(sorted(_BLOCKS))}|br)(?: [a-z]+=\"[^\"]*\")*>")
_TAG = re.compile(r"<[^>]*>")
_PRE = re.compile(r'(<pre(?: [a-z]+="[^"]*")*>)\n+')  # a browser skips the first line break, so it means nothing
_SPACES = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r"\s*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)]*(?=\s)|[。！？]")  # noqa: RUF001 - the full-width ones end sentences too

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What is in its one spelling already, as most addresses are; anything that takes a second look is not among them.
_CANONICAL = re.compile(
    r"https?://(?=[^/]{1,253}/)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
    r"/[A-Za-z0-9/._~!$&'()*+,;=:@-]*"
)
_UNSEEN = re.compile("[\x00-\x1f\x7f]")  # a browser skips these within an address
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_ESCAPE = re.compile("%[0-9a-fA-F]{2}")
_LONE_PERCENT = re.compile("%(?![0-9a-fA-F]{2})")
_LONGEST_HOST = 253
_LONGEST_URL = 4096
_LONGEST_RAW = 4 * _LONGEST_URL  # with a fragment and trackers; the time to split one grows with its accents' square
_ACCENTS = re.compile("[\u0300-\u036f]")
# No script stacks as many. To `re` marks are neither letters nor spaces; signs are among what it finds.
_IDEOGRAPH = re.compile("[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 100  # characters; of a longer one the beginning is searched
_MOST_WORDS = 16_000  # of one activity: as many as PostgreSQL keeps the places of
_TOWER = re.compile(r"[^\w\s\x00-\x7f]{31,}")
_MOST_MARKS = 30


def clean_html(html: str, base: str | None = None) -> str:
    """Return an article's HTML with nothing in it that acts, styles or tracks.

    Links are absolute http, https or mailto with `rel="nofollow noopener"`; relative ones are resolved against
    `base`, or lose their address without one. Images keep their alternative text, and load when they are seen without
    saying where; tracking pixels go. Players of known video sites become links, other frames go.
    """
    if not html or html.isspace():
        return ""
    if html.count("<") > MOST_TAGS:
        return paragraphs(_without_tags(html))
    clean = _CLEANER.clean(with_links_for_players(html))
    if _RELATIVE.search(clean):
        start = canonical_url(base) if base else None
        clean = _RELATIVE.sub(lambda found: _resolved(found, start), clean)
    clean = _IMAGE.sub(_image, clean)
    return (_PRE.sub(r"\1", clean) if "<pre" in clean else clean).strip()


def plain_text(html: str) -> str:
    """Return the text of HTML: a line for each paragraph, entities decoded once, white space folded."""
    if "<" not in html:
        return _folded(entities.unescape(html.replace("\n", " ")))
    if html.count("<") > MOST_TAGS:
        return _folded(entities.unescape(_without_tags(html)))
    return text_of_clean(_STRUCTURE.clean(html))


def text_of_clean(html: str) -> str:
    """Return the text of HTML that `clean_html` made; half the cost of `plain_text`."""
    lines = html.replace("\n", " ").replace("\r", " ")  # a line break in HTML is a space
    text = entities.unescape(_TAG.sub("", _BREAKS.sub("\n", lines)))
    folded = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in folded if line)


def paragraphs(text: str) -> str:
    """Return clean HTML that shows plain text: blank lines part paragraphs, single line breaks stay."""
    parts = re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    escaped = (entities.escape(part.strip(), quote=False).replace("\n", "<br>") for part in parts)
    return "".join(f"<p>{part}</p>" for part in escaped if part)


def excerpt(text: str, length: int = 150) -> str:
    """Return at most `length` characters of a text on one line, cut after a sentence or else a word, ending in "…"."""
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


def canonical_url(url: str, base: str | None = None) -> str | None:
    """Return the one spelling of a web address, or None where it is no address to show or compare.

    Scheme and host are lower case, the host in its ASCII form, the default port, the fragment and tracking parameters
    are gone; everything else keeps its order. Idempotent.
    """
    if len(url) <= _LONGEST_URL and _CANONICAL.fullmatch(url):
        return url
    if len(url) > _LONGEST_RAW:
        return None
    url = _UNSEEN.sub("", url).strip()
    try:
        parts = urlsplit(urljoin(base, url) if base else url)
        scheme, port = parts.scheme.lower(), parts.port
        host = _ascii_host(parts.hostname or "")
    except ValueError:
        return None
    if scheme not in _DEFAULT_PORTS or host is None or "@" in parts.netloc:
        return None
    place = host if port in {None, _DEFAULT_PORTS[scheme]} else f"{host}:{port}"
    path = _escaped(parts.path, "/:@!$&'()*+,;=~%[]|") or "/"
    query = _escaped(without_trackers(parts.query, host), "/?:@!$&'()*+,;=~%[]|{}^`") if parts.query else ""
    canonical = f"{scheme}://{place}{path}" + (f"?{query}" if query else "")
    return canonical if len(canonical) <= _LONGEST_URL else None


def web_key(url: str) -> str:
    """Return the key that everything published at this address shares, however its address is spelled."""
    return "web:" + hashlib.sha256((canonical_url(url) or url).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def searchable(*parts: str | None) -> str:
    """Return texts in the form that is searched: compatible characters joined, case and accents gone, spaces folded."""
    joined = " ".join(part for part in parts if part)
    if joined.isascii():
        return " ".join(joined.lower().split())
    # Sorting a tower of accents takes time that grows with the square of its height.
    folded = unicodedata.normalize("NFKC", _TOWER.sub(_lowered, joined)).casefold()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().split())


def words(*parts: str | None) -> list[str]:
    """Return what can be searched for in texts, in order: runs of letters and digits in their searched form.

    Scripts that write no spaces are parted into their characters, so that any run of those is found as a phrase.
    """
    found = _WORD.findall(_IDEOGRAPH.sub(r" \g<0> ", searchable(*parts)))
    return [word[:_LONGEST_WORD] for word in found[:_MOST_WORDS]]


def slug(text: str) -> str:
    """Return a name of a-z, 0-9 and dashes for addresses, at most 40 characters; empty where nothing is left."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST_NAMED].casefold()).encode("ascii", "ignore").decode()
    whole = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(whole) <= LONGEST_SLUG:
        return whole
    head, dash, _ = whole[: LONGEST_SLUG + 1].rpartition("-")
    return head if dash and len(head) > LONGEST_SLUG // 2 else whole[:LONGEST_SLUG].rstrip("-")


_CLEANER = nh3.Cleaner(
    tags=set(_BLOCKS | _INLINE),
    clean_content_tags=_DROPPED,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    url_relative="pass_through",  # resolved afterwards, where there is any: a cleaner of its own for each base is dear
    link_rel="nofollow noopener",
    strip_comments=True,
)
_STRUCTURE = nh3.Cleaner(tags=set(_BLOCKS | {"br"}), clean_content_tags=_DROPPED, attributes={}, link_rel=None)


def _image(found: re.Match[str]) -> str:
    """Keep an image unless it has no address left or is a pixel that only counts readers."""
    attributes = found[1]
    sides, small = len(_SIDE.findall(attributes)), len(_PIXEL.findall(attributes))
    if ' src="' not in attributes or (sides and sides == small):
        return ""
    sane = _SIZE.sub(lambda side: side[0] if _SANE.fullmatch(side[1]) else "", attributes) if sides else attributes
    return f'<img{sane} loading="lazy" decoding="async" referrerpolicy="no-referrer">'


def _resolved(found: re.Match[str], base: str | None) -> str:
    """Return an attribute whose address is relative with the whole address, or nothing where that is none."""
    try:
        address = urljoin(base, entities.unescape(found[2]).strip()) if base else ""
        scheme = urlsplit(address).scheme
    except ValueError:
        return ""
    if scheme not in _DEFAULT_PORTS:
        return ""
    return f' {found[1]}="{entities.escape(_escaped(address, _IN_ADDRESS))}"'


def _lowered(found: re.Match[str]) -> str:
    """Keep the lowest marks of each tower, and all that is no mark."""
    kept, marks = [], 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _without_tags(html: str) -> str:
    # What is never closed goes on to the end, as in a browser; to look again and again for an end that is not there is
    # dear.
    return re.sub(r"(?is)<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^>]*>?", " ", html)


def _folded(text: str) -> str:
    return _NEWLINES.sub("\n", _SPACES.sub(" ", text)).strip()


def _ascii_host(host: str) -> str | None:
    """Return a host name as the name system knows it, or None where it is none."""
    if len(host) > _LONGEST_HOST + 1:
        return None
    if not host.isascii():
        labels = unicodedata.normalize("NFKC", host.lower()).replace("。", ".").split(".")
        host = ".".join(x if x.isascii() else "xn--" + x.encode("punycode").decode("ascii") for x in labels)
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host)}]"
    host = host.removesuffix(".")
    return host if len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) else None


def _escaped(text: str, safe: str) -> str:
    """Percent-encode what an address can't hold, leaving what is already encoded, with its digits in upper case."""
    if "%" in text:
        text = _ESCAPE.sub(lambda found: found[0].upper(), _LONE_PERCENT.sub("%25", text))
    return quote(text, safe=safe, errors="replace")
