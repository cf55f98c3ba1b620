"""Find the addresses of feeds in a web page and in HTTP Link headers, the likeliest first. Pure, and linear in time."""

from __future__ import annotations

import html as entities
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_LINKS = 10  # feeds of a page that are returned

_MOST_TAGS = 20_000
_MOST_VALUES = 200  # of Link headers
_LONGEST_TAG = 5000  # characters
_LONGEST_HEADER = 20_000
_TAG = re.compile(
    r"<(?:(?P<comment>!--)|(?P<raw>script|style|textarea|title|xmp|iframe|noembed|noframes|template)(?=[\s/>])"
    r"|(?P<tag>link|base|a)(?=[\s/]))",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"[\s/]*([^\s=<>\"'/]{1,100})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))?")
_FEED_TYPE = re.compile(r"(?:application|text)/(?:x[-.])?(?:rss|atom|rdf|feed)(?:\+(?:xml|json))?")
_OPEN_TYPE = frozenset({"application/xml", "text/xml", "application/json", "text/json", "rss", "atom", "xml", "feed"})
_NO_FEED_TYPE = frozenset({"text/html", "application/xhtml+xml", "text/css", "text/plain"})
_NAMED_FEED = re.compile(r"\b(?:rss|atom|rdf|feeds?|xml|jsonfeed|syndication)\b", re.IGNORECASE)
_FEED_PATH = re.compile(
    r"\.(?:rss|atom|rdf)$|/(?:feeds?|rss2?|atom|rdf)/?$|/(?:feed|rss2?|atom|index|rdf)\.(?:xml|rdf|json)$"
    r"|//feeds\.feedburner\.com/.|[?&](?:feed|format)=(?:rss2?|atom|rdf|feed)\b",
    re.IGNORECASE,
)
_COMMENTS = re.compile(
    r"comments?\b|commentaires|kommentare?\b|comentarios?|comentários|commenti\b|reacties|kommentarer|komentarze"
    r"|комментари|коментар|コメント|评论|評論|留言|댓글|yorumlar|تعليقات",
    re.IGNORECASE,
)
_API = re.compile(r"/wp-json(?:/|$)|[?&]rest_route=|oembed", re.IGNORECASE)
_LINK_VALUE = re.compile(r"<([^<>]{0,4000})>([^<]*)")
_PARAMETER = re.compile(r";\s*([A-Za-z*]{1,40})\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))")


class _Link(NamedTuple):
    """A link to what may be a feed."""

    url: str
    rank: int  # the lower, the likelier
    title: str = ""


def feed_links_of(page: str, url: str, link_header: str = "") -> list[str]:
    """Return the URLs of the feeds that a page announces, in its order; comments and APIs come last.

    Links to feeds in the page's text count if it announces none.

    Args:
        page: its HTML.
        url: its URL, against which addresses are resolved.
        link_header: the values of its HTTP Link headers (RFC 8288), joined with commas.
    """
    links = [*_in_page(page, url), *_in_header(link_header, url)]
    announced = [link for link in links if link.rank < _IN_TEXT]
    ranked = sorted(announced or links, key=lambda link: link.rank)  # stable
    return list(dict.fromkeys(link.url for link in ranked))[:MOST_LINKS]


_ANNOUNCED, _OF_COMMENTS, _OF_API, _IN_TEXT = range(4)


def _in_page(page: str, url: str) -> Iterator[_Link]:
    base = url
    for tag, values, behind in islice(_tags(page), _MOST_TAGS):
        href = values.get("href", "").strip()
        if not href:
            continue
        if tag == "base":
            base = canonical_url(href, url) or base
        elif tag == "link" and _announces(values):
            yield from _placed(href, base, _rank(values, href))
        elif tag == "a" and _mentions(values, href, behind):
            yield from _placed(href, base, _IN_TEXT)


def _placed(href: str, base: str, rank: int) -> Iterator[_Link]:
    if href.lower().startswith("feed:"):
        href = href[5:].removeprefix("//")
        href = href if re.match(r"(?i)https?:", href) else f"https://{href}"
    url = canonical_url(href, base)
    if url:
        yield _Link(url, rank)


def _announces(values: Mapping[str, str]) -> bool:
    """Return whether a link element, or the parameters of a Link header, announce a feed."""
    relations = values.get("rel", "").lower().split()
    kind = values.get("type", "").partition(";")[0].strip().lower()
    if "feed" in relations and not ("stylesheet" in relations or kind == "text/html"):
        return True
    if "alternate" not in relations or "stylesheet" in relations or "oembed" in kind:
        return False
    if _FEED_TYPE.fullmatch(kind) or kind in _OPEN_TYPE:
        return True
    if kind in _NO_FEED_TYPE:
        return False
    of_path = _FEED_PATH.search(values.get("href", "")) and not values.get("hreflang")
    return bool(of_path or (not kind and _NAMED_FEED.search(values.get("title", ""))))


def _rank(values: Mapping[str, str], href: str) -> int:
    if _API.search(href):
        return _OF_API
    title = values.get("title", "")
    # "No Comment » Feed" is the feed of a site with that name, so only the end of a title counts.
    about = re.split(r"»|›|\||::|: | - | – | — ", title)[-1]  # noqa: RUF001
    path = re.search(r"/comments?(?:/|\.|$)|comments?[-_.]?(?:feed|rss|atom)|[?&](?:feed|type)=comments", href.lower())
    start = re.match(r"(?i)\s*comments (?:on|for)\b", title)
    return _OF_COMMENTS if path or start or _COMMENTS.search(about) else _ANNOUNCED


def _mentions(values: Mapping[str, str], href: str, text: str) -> bool:
    """Return whether a link in a page's text leads to a feed."""
    kind = values.get("type", "").partition(";")[0].strip().lower()
    if _FEED_TYPE.fullmatch(kind) or href.lower().startswith("feed:"):
        return True
    words = text.partition("<")[0].strip()
    plain = href.partition("#")[0]
    named = words.casefold() in {"rss", "rss feed", "atom", "atom feed", "feed", "rss-feed", "xml"}
    return bool(_FEED_PATH.search(plain)) or (named and plain.lower().endswith((".xml", ".php", ".aspx")))


def _tags(page: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield the tags that may name a feed, each with its attributes and what follows it, as browsers see them."""
    at = 0
    while found := _TAG.search(page, at):
        at = found.end()
        if found["comment"]:
            end = page.find("-->", at)
            at = len(page) if end < 0 else end + 3
        elif found["raw"]:
            closing = re.compile(f"</{found['raw']}", re.IGNORECASE).search(page, at)
            at = len(page) if closing is None else closing.end()
        else:
            values, at = _attributes(page, at)
            yield found["tag"].lower(), values, page[at + 1 : at + 60]


def _attributes(page: str, at: int) -> tuple[dict[str, str], int]:
    """Return the attributes of a tag from a place on, and where they end; the first of several with a name counts."""
    values: dict[str, str] = {}
    end = at + _LONGEST_TAG
    while attribute := _ATTRIBUTE.match(page, at, end):
        at = attribute.end()
        value = next((part for part in attribute.groups()[1:] if part is not None), "")
        values.setdefault(attribute[1].lower(), entities.unescape(value) if "&" in value else value)
    return values, at


def _in_header(header: str, url: str) -> Iterator[_Link]:
    for target, rest in _LINK_VALUE.findall(header[:_LONGEST_HEADER])[:_MOST_VALUES]:
        values = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        values["href"] = target
        if _announces(values):
            yield from _placed(target.strip(), url, _rank(values, target))


def joined_header(headers: Iterable[tuple[str, str]]) -> str:
    """Return the values of all Link headers as one list."""
    return ", ".join(value for name, value in headers if name.lower() == "link")[:_LONGEST_HEADER]
