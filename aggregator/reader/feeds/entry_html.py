"""What an item says in feeds for people: a plain title, and HTML that needs nothing of the page around it. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import network_of
from aggregator.reader.feeds.enclosures import enclosures_of
from aggregator.reader.feeds.sanitize import address, language, legible
from aggregator.text.html import excerpt, paragraphs
from aggregator.web.addresses import site_name
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import Activity, Actor, Content, Occasion
    from aggregator.reader.feeds.feed import Terms
    from aggregator.reader.visibility import Audience
    from aggregator.web.dates import Dates, When

_NOUNS = {kind: kind.value.capitalize() for kind in ActivityKind}
_TITLED = frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT, ActivityKind.VIDEO})
_TITLE_LENGTH = 100  # characters of a text that stand for a title
_CANCELLED = "Cancelled"
_BEGINNING = "The source gave only the beginning."
_GONE_BEGINNING = "The original is no longer available; this is the beginning of it."


def noun(content: Content) -> str:
    """Return the noun for content that may not be given: "Repost on Mastodon", "Article"."""
    label = network_of(content.network).label
    return f"{_NOUNS[content.kind]} on {label}" if label else _NOUNS[content.kind]


def original_of(item: Activity, audience: Audience) -> Content | None:
    """Return what the audience gets of what a repost or quote is about."""
    return audience.content(item.object.content) if item.object else None


def own_title(item: Activity, audience: Audience) -> str | None:
    """Return the title that the publisher gave, or what stands for words that are not given; None: it has only words.

    For formats in which a short message needs no title.
    """
    said = audience.content(item.content)
    return named(said) or (None if said is item.content else noun(said))


def named(content: Content) -> str | None:
    """Return the publisher's title as one line, marked where an event is cancelled: no format has a field for it."""
    title = _line(content.title)
    cancelled = content.event is not None and content.event.cancelled
    return f"{_CANCELLED}: {title}" if title and cancelled else title or None


def title_of(item: Activity, audience: Audience) -> str:
    """Return a title, never empty, for formats in which everything has one: at worst the beginning of the text."""
    said = audience.content(item.content)
    if title := own_title(item, audience):
        return title
    if said.kind is ActivityKind.REPOST:
        return _repost_title(said, original_of(item, audience))
    words = excerpt(_line(said.text), _TITLE_LENGTH)
    if said.kind in _TITLED:
        found = words or site_name(said.url) or noun(said)
        return f"{_CANCELLED}: {found}" if said.event and said.event.cancelled else found
    name = _name(said.actor)
    if name:
        return f"{name}: {words}" if words else f"{noun(said)} by {name}"
    return words or noun(said)


def html_of(item: Activity, terms: Terms) -> str:
    """Return what an item says as clean HTML, never empty."""
    said = terms.audience.content(item.content)
    if said is not item.content:
        return _pointer(said)
    return "".join(_parts(item, said, original_of(item, terms.audience), terms.dates)) or _pointer(said)


def _repost_title(said: Content, original: Content | None) -> str:
    who, whom = _name(said.actor), _name(original.actor) if original else ""
    nobody = f"Repost of {whom}" if whom else noun(said)
    begin = f"{who} reposted {whom}".strip() if who else nobody
    words = _line(original.title or original.text) if original else _line(said.text)
    return f"{begin}: {excerpt(words, _TITLE_LENGTH)}" if words else begin


def _parts(item: Activity, said: Content, original: Content | None, dates: Dates) -> Iterator[str]:
    if said.event:
        yield _occasion(said.event, dates)
    if said.in_reply_to:
        yield f"<p>In reply to {_linked(said.in_reply_to, 'this post')}</p>"
    if said.kind is ActivityKind.REPOST:
        yield _reposted(item, said, original)
    else:
        yield _words(said)
        if original:
            yield _quoted(original, f"<p>{_person(original.actor)}:</p>" if _name(original.actor) else "")
        elif item.object_key and said.kind not in _TITLED:  # an occurrence has the key of its series
            yield "<p>The quoted post is not available.</p>"
        if not said.complete:
            yield f"<p>{_BEGINNING}</p>"


def _reposted(item: Activity, said: Content, original: Content | None) -> str:
    whom = f" {_person(original.actor)}" if original and _name(original.actor) else ""
    who = _person(said.actor) if _name(said.actor) else ""
    begin = f"<p>{who} reposted{whom}:</p>" if who else ""
    cut = "" if (original or said).complete else f"<p>{_GONE_BEGINNING}</p>"
    withheld = item.object is not None and original is not item.object.content
    if original is None:
        return f"{begin}{_quoted(said, '')}{cut}"
    return begin + (_pointer(original) if withheld else _quoted(original, "")) + cut


def _quoted(content: Content, begin: str) -> str:
    """Return somebody's words as a quotation; of words that are not given, where to find them."""
    url, lang = address(content.url), language(content.lang)
    cite = f' cite="{escape(url)}"' if url else ""
    tongue = f' lang="{lang}"' if lang else ""
    return f"<blockquote{cite}{tongue}>{begin}{_words(content) or _pointer(content)}</blockquote>"


def _words(content: Content) -> str:
    html = content.html or paragraphs(content.text)
    return html + "".join(_pictures(content, html))


def _pictures(content: Content, html: str) -> Iterator[str]:
    """Yield pictures that are not in the text already; what may offend is only attached."""
    if content.sensitive:
        return
    for one in enclosures_of(content.media):
        if one.still and escape(one.still) not in html and one.still not in html:
            picture = f'<img src="{escape(one.still)}" alt="{escape(one.alt or "")}">'
            target = address(content.url) or one.url
            yield f"<p>{picture}</p>" if one.kind == "image" else f'<p><a href="{escape(target)}">{picture}</a></p>'


def _occasion(event: Occasion, dates: Dates) -> str:
    """Return whether, when and where an event takes place; events of whole days have dates and no hours."""
    when = dates.when(event.start, event.end, event.zone_label, all_day=event.all_day)
    cancelled = f"<p><strong>{_CANCELLED}</strong></p>" if event.cancelled else ""
    words = escape(", ".join(filter(None, (when.day, when.hours))))
    start = event.start.date().isoformat() if event.all_day else machine_time(event.start)
    moment = f'<time datetime="{start}">{words}</time>'
    place = f" · {escape(event.place)}" if event.place else ""
    online = f"<p>{_linked(event.online, 'Attend online')}</p>" if address(event.online) else ""
    return f"{cancelled}<p>{moment}{_remark(event, when, dates)}{place}</p>{online}"


def _remark(event: Occasion, when: When, dates: Dates) -> str:
    """Quote the source's own time zone where it differs, with the other time that it may mean."""
    if not when.remark:
        return ""
    other = dates.when(event.other_start, None).hours if event.other_start else ""
    also = f", which may also mean {escape(other)}" if other else ""
    return f" (the source says “{escape(when.remark)}”{also})"


def _pointer(content: Content) -> str:
    return f"<p>{_linked(content.url, noun(content))}</p>"


def _person(actor: Actor | None) -> str:
    return f"<bdi>{_linked(actor.url, _name(actor))}</bdi>" if actor else ""


def _linked(url: str | None, text: str) -> str:
    target = address(url)
    return f'<a href="{escape(target)}" rel="nofollow noopener">{escape(text)}</a>' if target else escape(text)


def _name(actor: Actor | None) -> str:
    return (_line(actor.name) or (f"@{_line(actor.handle)}" if actor.handle else "")) if actor else ""


def _line(text: str | None) -> str:
    """Return a text as one legible line."""
    return " ".join(legible(text or "").split())
