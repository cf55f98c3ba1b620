"""Describe items in the vocabulary of schema.org, as JSON-LD. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from aggregator.domain.activity import ActivityKind
from aggregator.domain.organizations import NO_ORGANIZATIONS
from aggregator.domain.own_posts import SOURCE
from aggregator.text.html import excerpt
from aggregator.web.addresses import web_address
from aggregator.web.dates import machine_time
from aggregator.web.pictures import visible
from aggregator.web.translation import gettext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.activity import Activity, Actor, Content, Media, Occasion
    from aggregator.domain.organizations import Organizations

Picture = Callable[["Media"], str | None]  # returns our own public URL of a media item's still image

_LONGEST_HEADLINE = 110
_LONGEST_TEXT = 5000
_ONE_DAY = timedelta(days=1)
_PUBLISHED = frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT, ActivityKind.VIDEO})
# Characters that end a script element or break a line of JavaScript; all of them occur in strings only.
_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


class _Terms(NamedTuple):
    """What the descriptions of one item have in common."""

    item: Activity
    picture: Picture
    organizations: Organizations

    def author(self, actor: Actor | None) -> dict[str, Any] | None:
        """Return an account or author: an organization if that is known, else a person."""
        if actor is None:
            return _filled(self.publisher()) if self.item.source.slug == SOURCE else None
        handle = f"@{actor.handle}" if actor.handle else None
        type_ = "Organization" if self._is_organization(actor) else "Person"
        return _filled({"@type": type_, "name": actor.name, "alternateName": handle, "url": web_address(actor.url)})

    def publisher(self) -> dict[str, Any]:
        """Return the publisher of articles and videos."""
        return {"@type": "Organization", "name": self.item.source.name}

    def _is_organization(self, actor: Actor) -> bool:
        """Return whether an author is a declared organization, or the publication itself.

        Networks don't distinguish persons from organizations; feeds without authors give their own name.
        """
        publishes = self.item.content.kind in _PUBLISHED and actor.name.casefold() == self.item.source.name.casefold()
        return publishes or self.organizations.of_actor(actor) is not None


def structured_data(
    item: Activity, page: str, picture: Picture, organizations: Organizations = NO_ORGANIZATIONS
) -> Mapping[str, Any]:
    """Return the description of an item whose content other sites may show.

    Args:
        item: the item.
        page: the public URL of its page.
        picture: returns the public URL of a media item's picture.
        organizations: the declared ones.
    """
    content, terms = item.content, _Terms(item, picture, organizations)
    if content.kind is ActivityKind.EVENT and content.event is not None:
        made = _event(content, content.event, terms)
    elif content.kind is ActivityKind.VIDEO:
        made = _video(content, item, terms)
    elif content.kind in {ActivityKind.ARTICLE, ActivityKind.EVENT}:
        made = _article(content, terms)
    else:
        made = _post(item, terms)
    about = {"@context": "https://schema.org", "mainEntityOfPage": page, "url": web_address(content.url) or page}
    return _filled({**about, **made})


def embedded_json(value: Mapping[str, Any]) -> str:
    """Return JSON that can stand in a script element of a page: no character in it ends the element."""
    return msgspec.json.encode(value).decode().translate(_ESCAPES)


def _article(content: Content, terms: _Terms) -> dict[str, Any]:
    return {
        "@type": "NewsArticle",
        "headline": excerpt(title_of(content), _LONGEST_HEADLINE),
        **_work(content, terms),
        "description": excerpt(content.text, 300) if content.title else None,
        "publisher": terms.publisher(),
    }


def _video(content: Content, item: Activity, terms: _Terms) -> dict[str, Any]:
    film = next((media for media in content.media if media.type == "video"), None)
    is_file = film is not None and (film.mime or "").startswith("video/")
    return {
        "@type": "VideoObject",
        "name": excerpt(title_of(content), _LONGEST_HEADLINE),
        **_work(content, terms),
        "description": excerpt(content.text or title_of(content), 300),
        "uploadDate": machine_time(content.published or item.first_seen),
        "thumbnailUrl": next(filter(None, map(terms.picture, visible(content))), None),
        "duration": _iso_duration(film.duration) if film and film.duration else None,
        "contentUrl": web_address(film.url) if film and is_file else None,
        "publisher": terms.publisher(),
    }


def _event(content: Content, occasion: Occasion, terms: _Terms) -> dict[str, Any]:
    online = web_address(occasion.online)
    places = [
        *([{"@type": "Place", "name": occasion.place}] if occasion.place else []),
        *([{"@type": "VirtualLocation", "url": online}] if online else []),
    ]
    modes = {
        (True, True): "MixedEventAttendanceMode",
        (True, False): "OfflineEventAttendanceMode",
        (False, True): "OnlineEventAttendanceMode",
    }
    mode = modes.get((bool(occasion.place), bool(online)))
    status = "EventCancelled" if occasion.cancelled else "EventScheduled"
    last = occasion.end - _ONE_DAY if occasion.end and occasion.all_day else occasion.end  # an exclusive end
    start, end = (
        (moment.date().isoformat() if occasion.all_day else machine_time(moment)) if moment else None
        for moment in (occasion.start, last)
    )
    return {
        "@type": "Event",
        "name": excerpt(title_of(content), _LONGEST_HEADLINE),
        "startDate": start,
        "endDate": end,
        "eventStatus": f"https://schema.org/{status}",
        "eventAttendanceMode": f"https://schema.org/{mode}" if mode else None,
        "location": places[0] if len(places) == 1 else places,
        "description": excerpt(content.text, 300),
        "organizer": terms.author(content.actor),
        "image": _pictures(content, terms),
    }


def _post(item: Activity, terms: _Terms) -> dict[str, Any]:
    content, original = item.content, item.object
    shared = _own_post(original.content, terms) if original else None
    if shared and original and original.object:
        shared["sharedContent"] = _filled(_own_post(original.object.content, terms))
    made = _own_post(content, terms)
    if content.kind is ActivityKind.REPOST:  # the words belong to the original
        made |= {"articleBody": None, "image": None}
    return {**made, "sharedContent": _filled(shared) if shared else None}


def _own_post(content: Content, terms: _Terms) -> dict[str, Any]:
    titled = content.kind in {ActivityKind.ARTICLE, ActivityKind.EVENT, ActivityKind.VIDEO}
    return {
        "@type": "SocialMediaPosting",
        "headline": excerpt(content.title or content.text, _LONGEST_HEADLINE) if titled or content.text else None,
        "url": web_address(content.url),
        **_work(content, terms),
        "articleBody": content.text[:_LONGEST_TEXT],
    }


def _work(content: Content, terms: _Terms) -> dict[str, Any]:
    """Return the properties of all creative works."""
    return {
        "author": terms.author(content.actor),
        "datePublished": machine_time(content.published) if content.published else None,
        "dateModified": machine_time(content.updated) if content.updated else None,
        "inLanguage": content.lang,
        "keywords": ", ".join(content.hashtags),
        "image": _pictures(content, terms),
    }


def _pictures(content: Content, terms: _Terms) -> list[str]:
    shown = [] if content.sensitive else visible(content)[:4]
    return [address for media in shown if (address := terms.picture(media))]


def title_of(content: Content) -> str:
    """Return the title of a content, or the beginning of its text."""
    return content.title or excerpt(content.text, _LONGEST_HEADLINE) or gettext("Untitled")


def _iso_duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"PT{hours}H{minutes}M{left}S"


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that have a value."""
    return {name: value for name, value in values.items() if value not in (None, "", [], ())}
