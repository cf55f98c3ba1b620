"""Render an item for feeds: a plain title and self-contained HTML. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind
from aggregator.domain.networks import network_of
from aggregator.domain.post_parts import preview_of, quoted_post, quoting_post, without_original
from aggregator.reader.feeds.enclosures import enclosures_of
from aggregator.reader.feeds.sanitize import address, language, legible
from aggregator.text.html import excerpt, paragraphs
from aggregator.web.addresses import site_name
from aggregator.web.dates import html_time
from aggregator.web.labels import listed, phrase, reposted, reposted_by
from aggregator.web.translation import gettext, translatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity, Actor, Content, Occasion
    from aggregator.reader.feeds.feed import Terms
    from aggregator.reader.visibility import Audience
    from aggregator.web.dates import Dates, When

_NOUNS = {
    ActivityKind.ARTICLE: translatable("Article"),
    ActivityKind.POST: translatable("Post"),
    ActivityKind.REPOST: translatable("Repost"),
    ActivityKind.QUOTE: translatable("Quote"),
    ActivityKind.REPLY: translatable("Reply"),
    ActivityKind.EVENT: translatable("Event"),
    ActivityKind.VIDEO: translatable("Video"),
}
_TITLED = frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT, ActivityKind.VIDEO})
_TITLE_LENGTH = 100  # characters of a text used as title
_MOST_RELATED = 10  # items of the same story
_MOST_NAMED = 3  # of the people who reposted the same


def noun(content: Content) -> str:
    """Return a label for content that must not be shown: "Repost on Mastodon", "Article"."""
    return phrase(gettext(_NOUNS[content.kind]), network_of(content.network).label)


def original_of(item: Activity, audience: Audience) -> Content | None:
    """Return the object of a repost or quote as visible to the audience."""
    return audience.content(item.object.content) if item.object else None


def own_title(item: Activity, audience: Audience) -> str | None:
    """Return the publisher's title, or a label for hidden content; None: it has only text.

    For formats in which a short message needs no title.
    """
    content = audience.content(item.content)
    return named(content) or (None if content is item.content else noun(content))


def named(content: Content) -> str | None:
    """Return the publisher's title as one line, marked if an event is cancelled: no format has a field for that."""
    title = _line(content.title)
    cancelled = content.event is not None and content.event.cancelled
    return _cancelled(title) if title and cancelled else title or None


def _cancelled(title: str) -> str:
    return gettext("Cancelled: %(title)s", title=title)


def title_of(item: Activity, audience: Audience) -> str:
    """Return a title, never empty, for formats that require one; the fallback is the beginning of the text."""
    content = audience.content(item.content)
    if title := own_title(item, audience):
        return title
    if content.kind is ActivityKind.REPOST:
        title = _repost_title(content, original_of(item, audience))
        return gettext("%(repost)s: the original is not available", repost=title) if without_original(item) else title
    words = excerpt(_line(content.text), _TITLE_LENGTH)
    if content.kind in _TITLED:
        found = words or site_name(content.url) or noun(content)
        return _cancelled(found) if content.event and content.event.cancelled else found
    name = _name(content.actor)
    if name:
        return gettext("%(name)s: %(words)s", name=name, words=words) if words else phrase(noun(content), who=name)
    return words or noun(content)


def html_of(item: Activity, terms: Terms) -> str:
    """Return the content of an item as clean HTML, never empty."""
    content = terms.audience.content(item.content)
    if content is not item.content:
        return _pointer(content)
    return "".join(_parts(item, content, terms)) or _pointer(content)


def _repost_title(content: Content, original: Content | None) -> str:
    who, whom = _name(content.actor), _name(original.actor) if original else ""
    anonymous = gettext("Repost of %(whom)s", whom=whom) if whom else noun(content)
    begin = reposted(content, who, whom) if who else anonymous
    words = _line(original.title or original.text) if original else _line(content.text)
    return gettext("%(name)s: %(words)s", name=begin, words=excerpt(words, _TITLE_LENGTH)) if words else begin


def _parts(item: Activity, content: Content, terms: Terms) -> Iterator[str]:
    if content.event:
        yield _occasion(content.event, terms.dates)
    if content.kind is ActivityKind.REPOST:
        yield _reposted(item, content, terms)
    else:
        yield _post(content, terms, in_thread=item.thread is not None) + _quote(item, terms)
    others = terms.others.get(item.id, ())
    if reposts := [other for other in others if other.content.kind is ActivityKind.REPOST]:
        yield _also(reposts, terms.audience, is_repost=content.kind is ActivityKind.REPOST)
    if related := [other for other in others if other.content.kind is not ActivityKind.REPOST]:
        yield _story(related, terms)


def _reposted(item: Activity, content: Content, terms: Terms) -> str:
    original = original_of(item, terms.audience)
    whom = _person(original.actor) if original and _name(original.actor) else ""
    who = _person(content.actor) if _name(content.actor) else ""
    begin = f"<p>{reposted(content, who, whom)}:</p>" if who else ""
    if without_original(item):
        return begin + _paragraph(gettext("The original is not available."))
    if original is None:
        return begin + _blockquote(content, _post(content, terms))
    if item.object is not None and original is not item.object.content:  # hidden by the network's terms
        return begin + _pointer(original)
    return begin + _blockquote(original, _post(original, terms) + _quote(item, terms))


def _quote(item: Activity, terms: Terms) -> str:
    """Return the quoted post, or why there is none; "" if nothing is quoted."""
    quoting, quoted = quoting_post(item), quoted_post(item)
    if quoting is None or not terms.audience.gets(quoting.network):
        return ""
    if quoted is None:
        return _unquoted(quoting)
    visible = terms.audience.content(quoted)
    begin = f"<p>{_person(visible.actor)}:</p>" if _name(visible.actor) else ""
    inner = _quotes(visible) if visible.quote_of else ""  # a link, whether its network has it or not
    return _blockquote(visible, begin + (_post(visible, terms) or _pointer(visible)) + inner)


def _unquoted(quoting: Content) -> str:
    return _quotes(quoting) if quoting.lacks_quote else _paragraph(gettext("The quoted post is not available."))


def _quotes(quoting: Content) -> str:
    post = _linked(quoting.quote_of, gettext("this post"))
    return _paragraph(gettext("Quotes %(post)s.", post=post))


def _also(others: Sequence[Activity], audience: Audience, *, is_repost: bool) -> str:
    """Name the people who reposted an item, or also reposted its original."""
    people = [person for other in others if (person := _person(audience.content(other.content).actor))]
    named = people[:_MOST_NAMED]
    sentence = reposted_by(others[0].content, listed(named, len(others) - len(named)), also=is_repost)
    return f"<p>{sentence}.</p>"


def _story(related: Sequence[Activity], terms: Terms) -> str:
    """List the other items of the same story."""
    shown = [f"<li>{_related(other, terms)}</li>" for other in related[:_MOST_RELATED]]
    return _paragraph(gettext("More about this:")) + f"<ul>{''.join(shown)}</ul>"


def _related(item: Activity, terms: Terms) -> str:
    content = terms.audience.content(item.content)
    link = _linked(content.url or terms.page_of(item.id), title_of(item, terms.audience))
    source = f" ({escape(_line(item.source.name))})" if content.kind in _TITLED else ""
    return f"<bdi>{link}</bdi>{source}"


def _post(content: Content, terms: Terms, *, in_thread: bool = False) -> str:
    """Return what a post shows besides its author and what it quotes."""
    parts = [_words(content), *_ballot(content, terms), *_preview(content)]
    if content.in_reply_to:
        post = _linked(content.in_reply_to, gettext("this post"))
        thread, answered = gettext("Thread, continues %(post)s", post=post), gettext("In reply to %(post)s", post=post)
        parts.insert(0, _paragraph(thread if in_thread else answered))
    if content.is_excerpt:
        parts.append(_paragraph(gettext("This is an excerpt.")))
    if content.edited and content.kind not in _TITLED:
        parts.append(f"<p>{_edited(content.updated, terms)}</p>")
    return "".join(parts)


def _ballot(content: Content, terms: Terms) -> Iterator[str]:
    """Yield the options of a vote."""
    if content.poll:
        ends = content.poll.ends
        until = gettext("Poll, open until %(time)s", time=_time(ends, terms)) if ends else gettext("Poll")
        yield f"<p>{until}</p>"
        if content.poll.options:
            yield f"<ul>{''.join(f'<li>{escape(legible(option))}</li>' for option in content.poll.options)}</ul>"


def _preview(content: Content) -> Iterator[str]:
    """Yield the preview of a link."""
    preview = preview_of(content)
    if preview and preview.title:
        text = f"<br>{escape(legible(preview.description))}" if preview.description else ""
        yield f"<p>{_linked(preview.via or preview.url, _line(preview.title))}{text}</p>"
        if (image := address(preview.image)) and not content.sensitive:
            yield f'<p><img src="{escape(image)}" alt=""></p>'


def _edited(moment: datetime | None, terms: Terms) -> str:
    return gettext("Edited %(time)s.", time=_time(moment, terms)) if moment else gettext("Edited.")


def _time(moment: datetime, terms: Terms) -> str:
    return f'<time datetime="{html_time(moment)}">{escape(terms.dates.moment(moment))}</time>'


def _blockquote(content: Content, html: str) -> str:
    """Return a quotation; for hidden content, a link to it."""
    url, lang = address(content.url), language(content.lang)
    cite = f' cite="{escape(url)}"' if url else ""
    tongue = f' lang="{lang}"' if lang else ""
    return f"<blockquote{cite}{tongue}>{html or _pointer(content)}</blockquote>"


def _words(content: Content) -> str:
    html = content.html or paragraphs(content.text)
    return html + "".join(_pictures(content, html))


def _pictures(content: Content, html: str) -> Iterator[str]:
    """Yield images that aren't in the text; sensitive ones are only attached."""
    if content.sensitive:
        return
    for enclosure in enclosures_of(content.media):
        if enclosure.still and escape(enclosure.still) not in html and enclosure.still not in html:
            picture = f'<img src="{escape(enclosure.still)}" alt="{escape(enclosure.alt or "")}">'
            target = address(content.url) or enclosure.url
            yield (
                f"<p>{picture}</p>" if enclosure.kind == "image" else f'<p><a href="{escape(target)}">{picture}</a></p>'
            )


def _occasion(event: Occasion, dates: Dates) -> str:
    """Return state, place and time of an event; all-day events have dates without hours."""
    when = dates.when(event.start, event.end, event.zone_label, all_day=event.all_day)
    state = gettext("Cancelled")
    cancelled = f"<p><strong>{state}</strong></p>" if event.cancelled else ""
    words = escape(", ".join(filter(None, (when.day, when.hours))))
    start = event.start.date().isoformat() if event.all_day else html_time(event.start)
    moment = f'<time datetime="{start}">{words}</time>'
    place = f" · {escape(event.place)}" if event.place else ""
    online = f"<p>{_linked(event.online, gettext('Attend online'))}</p>" if address(event.online) else ""
    return f"{cancelled}<p>{moment}{_remark(event, when, dates)}{place}</p>{online}"


def _remark(event: Occasion, when: When, dates: Dates) -> str:
    """Quote the source's own time zone if it differs, with the alternative time."""
    if not when.remark:
        return ""
    zone = escape(when.remark)
    other = escape(dates.when(event.other_start, None).hours) if event.other_start else ""
    ambiguous = gettext("time zone “%(zone)s” is ambiguous; may also be %(time)s", zone=zone, time=other)
    remark = ambiguous if other else gettext("time zone “%(zone)s”", zone=zone)
    return f" ({remark})"


def _pointer(content: Content) -> str:
    return f"<p>{_linked(content.url, noun(content))}</p>"


def _paragraph(html: str) -> str:
    return f"<p>{html}</p>"


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
