"""Render a post's text with its entities as plain text and as clean HTML. Pure.

X returns the text HTML-escaped (`&amp;`, `&lt;`, `&gt;`). Links, mentions and hashtags have code-point offsets into
that escaped text, end exclusive. So the text is sliced first, and each slice is unescaped exactly once.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from aggregator.domain.activity import Link, Mention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_T = TypeVar("_T")

SITE = "https://x.com"

_ESCAPED = re.compile("&(amp|lt|gt);")
_UNESCAPED = {"amp": "&", "lt": "<", "gt": ">"}
_ON_X = re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/", re.IGNORECASE)
_MEDIA_PAGE = re.compile(r"/status/\d+/(?:photo|video)/\d+")
_STATUS_PAGE = re.compile(r"/status(?:es)?/(\d{1,19})")


@dataclass(frozen=True, slots=True)
class Markup:
    """A rendered text and the targets of its links."""

    text: str = ""
    html: str = ""
    links: tuple[Link, ...] = ()
    hashtags: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """Media and quotes that are displayed beside the text, so that trailing links to them can be dropped."""

    media: bool = False
    quoted: frozenset[str] = field(default_factory=frozenset)  # ids


@dataclass(frozen=True, slots=True)
class _Span:
    """A range of the escaped text that an entity covers; `hidden` if the rendered text omits it."""

    start: int
    end: int
    plain: str
    html: str
    hidden: bool = False


def render(text: str, entities: Mapping[str, Any], shown: Shown) -> Markup:
    """Return plain text and HTML of a text with X's entities; those that are not in the text are not linked."""
    urls = _given(entities, "urls")
    mentions = _given(entities, "mentions")
    hashtags = _given(entities, "hashtags")
    spans = _in_order(
        [
            *_spans(text, urls, lambda entity: _link_span(entity, shown)),
            *_spans(text, mentions, _mention_span),
            *_spans(text, hashtags, lambda entity: _tag_span(entity, "#", f"{SITE}/hashtag/{_quoted(entity, 'tag')}")),
            *_spans(
                text,
                _given(entities, "cashtags"),
                lambda entity: _tag_span(entity, "$", f"{SITE}/search?q=%24{_quoted(entity, 'tag')}"),
            ),
        ]
    )
    return Markup(
        text=_plain(text, spans),
        html=_html(text, spans),
        links=_once(_link(url) for url in urls if web_address(url.get("url")) and not _is_shown(url, shown)),
        hashtags=_once(unescape(str(tag["tag"])) for tag in hashtags if tag.get("tag")),
        mentions=_once(_mention(mention) for mention in mentions if mention.get("username")),
    )


def unescape(text: str) -> str:
    """Unescape X's `&amp;`, `&lt;` and `&gt;`, once."""
    return _ESCAPED.sub(lambda match: _UNESCAPED[match[1]], text)


def web_address(value: object) -> str | None:
    """Return an http(s) URL, or None for anything else (a script, a number, nothing)."""
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in {"http", "https"} and parts.netloc else None


def _given(entities: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = entities.get(name)
    return [entity for entity in found if isinstance(entity, dict)] if isinstance(found, list) else []


def _spans(
    text: str,
    entities: Iterable[Mapping[str, Any]],
    build: Callable[[Mapping[str, Any]], tuple[str, _Span] | None],
) -> list[_Span]:
    """Locate entities in the text, by their offsets or, where these don't fit, by the string itself.

    `build` returns the string expected there.
    """
    plain = text.replace("\uff20", "@").replace("\uff03", "#")  # the full-width signs of mentions and hashtags
    placed: list[_Span] = []
    lost: list[tuple[str, _Span]] = []
    for entity in entities:
        if (built := build(entity)) is None:
            continue
        words, span = built
        start, end = entity.get("start"), entity.get("end")
        numbers = isinstance(start, int) and isinstance(end, int) and start >= 0
        if numbers and plain[start:end].casefold() == words.casefold():
            placed.append(replace(span, start=int(start or 0), end=int(end or 0)))
        elif len(words) > 1:
            lost.append((words, span))
    taken = {span.start for span in placed}
    searches: dict[str, Iterator[re.Match[str]]] = {}
    for words, span in lost:
        if words not in searches:
            searches[words] = re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", plain, re.IGNORECASE)
        place = next((match for match in searches[words] if match.start() not in taken), None)
        if place is not None:
            placed.append(replace(span, start=place.start(), end=place.end()))
    return placed


def _in_order(spans: list[_Span]) -> list[_Span]:
    kept: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _link_span(entity: Mapping[str, Any], shown: Shown) -> tuple[str, _Span] | None:
    wrapped = web_address(entity.get("url"))
    if wrapped is None:
        return None
    link = _link(entity)
    anchor = _anchor(wrapped, link.text or link.url)
    return wrapped, _Span(0, 0, link.url, anchor, hidden=_is_shown(entity, shown))


def _mention_span(entity: Mapping[str, Any]) -> tuple[str, _Span]:
    words = f"@{entity.get('username', '')}"
    return words, _Span(0, 0, words, _anchor(f"{SITE}/{_quoted(entity, 'username')}", words))


def _tag_span(entity: Mapping[str, Any], sign: str, address: str) -> tuple[str, _Span]:
    words = f"{sign}{entity.get('tag', '')}"
    return words, _Span(0, 0, words, _anchor(address, words))


def _plain(text: str, spans: list[_Span]) -> str:
    end = len(text.rstrip())
    while spans and spans[-1].hidden and spans[-1].end == end:  # only trailing links; others are part of a sentence
        end = len(text[: spans[-1].start].rstrip())
        spans = spans[:-1]
    return "".join(_woven(text[:end], spans, unescape, lambda span: span.plain))


def _html(text: str, spans: list[_Span]) -> str:
    return "".join(_woven(text, spans, _escaped, lambda span: span.html))


def _woven(
    text: str, spans: list[_Span], between: Callable[[str], str], within: Callable[[_Span], str]
) -> Iterable[str]:
    at = 0
    for span in spans:
        yield between(text[at : span.start])
        yield within(span)
        at = span.end
    yield between(text[at:])


def _escaped(piece: str) -> str:
    return html.escape(unescape(piece)).replace("\r\n", "\n").replace("\n", "<br>")


def _anchor(address: str, words: str) -> str:
    return f'<a href="{html.escape(address)}" rel="nofollow noopener">{html.escape(words)}</a>'


def _quoted(entity: Mapping[str, Any], name: str) -> str:
    return quote(str(entity.get(name, "")), safe="")


def _link(entity: Mapping[str, Any]) -> Link:
    wrapped = str(entity.get("url"))
    target = web_address(entity.get("unwound_url")) or web_address(entity.get("expanded_url")) or wrapped
    title = line_of(entity.get("title"))
    return Link(
        url=target,
        text=display if isinstance(display := entity.get("display_url"), str) else None,
        via=wrapped,
        title=title,
        description=line_of(entity.get("description")) if title else None,
        image=_widest(entity.get("images")) if title else None,
    )


def line_of(value: object) -> str | None:
    """Return a text of X as one unescaped line, or None for anything else."""
    return " ".join(unescape(value).split()) or None if isinstance(value, str) else None


def _widest(images: object) -> str | None:
    """Return the URL of the largest image; X gives some in several sizes."""
    found = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    sized = [(width if isinstance(width := image.get("width"), int) else 0, url) for image in found
             if (url := web_address(image.get("url")))]  # fmt: skip
    return max(sized, key=lambda pair: pair[0])[1] if sized else None


def _mention(entity: Mapping[str, Any]) -> Mention:
    native_id = entity.get("id")
    return Mention(
        handle=str(entity["username"]),
        native_id=str(native_id) if native_id else None,
        url=f"{SITE}/{_quoted(entity, 'username')}",
    )


def _is_shown(entity: Mapping[str, Any], shown: Shown) -> bool:
    """Return whether a link only leads to the media or the quoted post displayed beside the text."""
    target = entity.get("expanded_url")
    target = target if isinstance(target, str) and _ON_X.match(target) else ""
    if shown.media and (entity.get("media_key") or _MEDIA_PAGE.search(target)):
        return True
    status = _STATUS_PAGE.search(target)
    return bool(status and status[1] in shown.quoted)


def _once(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
