"""Render the objects of ActivityStreams 2.0 activities: people, notes, articles, events, videos. Pure.

Ids are fragments of the activity's page, so they are unique and can be dereferenced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aggregator.domain.activity import ActivityKind
from aggregator.domain.post_parts import quoted_post, quoting_post, without_original
from aggregator.reader.feeds.enclosures import PLAYED, enclosures_of
from aggregator.reader.feeds.entry_html import named, original_of
from aggregator.reader.feeds.feed import past
from aggregator.reader.feeds.sanitize import address, language, legible
from aggregator.text.html import paragraphs
from aggregator.web.dates import machine_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Activity, Actor, Content
    from aggregator.reader.feeds.enclosures import Enclosure
    from aggregator.reader.feeds.feed import Terms

_TYPES = {ActivityKind.ARTICLE: "Article", ActivityKind.EVENT: "Event", ActivityKind.VIDEO: "Video"}
_ATTACHED = {"image": "Image", "video": "Video", "animation": "Video", "audio": "Audio"}
_UNAVAILABLE = {"type": "Tombstone", "formerType": "Note"}
_QUOTED = "https://misskey-hub.net/ns#_misskey_quote"  # the relation that identifies a quote (FEP-e232)


def person(actor: Actor, id_: str) -> dict[str, Any]:
    """Return a person."""
    avatar = address(actor.avatar)
    return without_none(
        {
            "id": id_,
            "type": "Person",
            "name": actor.name or actor.handle,
            "preferredUsername": actor.handle,
            "url": address(actor.url),
            "icon": {"type": "Image", "url": avatar} if avatar else None,
        }
    )


def actor_id(item: Activity, terms: Terms) -> str:
    """Return the id of the author of a post or repost."""
    return f"{terms.page_of(item.id)}#actor"


def object_of(item: Activity, terms: Terms) -> dict[str, Any]:
    """Return the object of an activity, with the quoted post as an attachment."""
    page, content = terms.page_of(item.id), terms.audience.content(item.content)
    made = _object(content, f"{page}#object", actor_id(item, terms), terms)
    tags = [*made.pop("tag", []), *_named("topic", item.topics, terms), *_named("country", item.countries, terms)]
    return _quoting(made | without_none({"tag": tags or None}), item, terms)


def original_of_activity(item: Activity, terms: Terms) -> dict[str, Any]:
    """Return the reposted object; without an object, the facts in the repost; a tombstone if it isn't available."""
    shares = _shares(item, terms)
    if without_original(item):
        return {"id": f"{terms.page_of(item.id)}#original", **_UNAVAILABLE, **shares}
    if original := original_of(item, terms.audience):
        return _quoting(_original(item, original, terms), item, terms) | shares
    made = _original(item, terms.audience.content(item.content), terms)
    of_the_repost = {"attributedTo", "url", "published", "updated"}
    return {name: value for name, value in made.items() if name not in of_the_repost} | shares


def _quoting(made: dict[str, Any], item: Activity, terms: Terms) -> dict[str, Any]:
    """Add the quoted post: embedded, as a link, or as a tombstone."""
    quoting, quoted = quoting_post(item), quoted_post(item)
    if quoting is None or not terms.audience.gets(quoting.network):
        return made
    attached, tags = list(made.get("attachment", [])), list(made.get("tag", []))
    if quoted:
        name = "quoted" if item.content.kind is ActivityKind.REPOST else "original"
        page = terms.page_of(item.id)
        author = "quoted-author" if name == "quoted" else "author"
        attached.append(_object(terms.audience.content(quoted), f"{page}#{name}", f"{page}#{author}", terms))
        tags.append({"type": "Link", "rel": [_QUOTED], "href": attached[-1]["id"], "name": "Quoted post"})
    elif quoting.lacks_quote and (url := address(quoting.quote_of)):
        tags.append({"type": "Link", "rel": [_QUOTED], "href": url, "name": "Quoted post"})
    else:
        attached.append({**_UNAVAILABLE, "name": "The quoted post is not available."})
    return made | without_none({"attachment": attached or None, "tag": tags or None})


def _shares(item: Activity, terms: Terms) -> dict[str, Any]:
    """Return the other reposts of the same original."""
    others = [other for other in terms.others.get(item.id, ()) if other.content.kind is ActivityKind.REPOST]
    if not others:
        return {}
    items = [
        without_none(
            {
                "id": terms.page_of(other.id),
                "type": "Announce",
                "actor": person(actor, actor_id(other, terms)) if actor else None,
                "url": address(other.content.url),
            }
        )
        for other in others
        for actor in (terms.audience.content(other.content).actor,)
    ]
    return {"shares": {"type": "Collection", "totalItems": len(items), "items": items}}


def _original(item: Activity, content: Content, terms: Terms) -> dict[str, Any]:
    page = terms.page_of(item.id)
    return _object(content, f"{page}#original", f"{page}#author", terms)


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Drop missing values."""
    return {name: value for name, value in values.items() if value is not None}


def _object(content: Content, id_: str, author_id: str, terms: Terms) -> dict[str, Any]:
    url, lang = address(content.url), language(content.lang)
    html = legible(content.html or paragraphs(content.text)) or None
    enclosures = enclosures_of(content.media)
    film = (
        next((enclosure for enclosure in enclosures if enclosure.kind in PLAYED), None)
        if content.kind is ActivityKind.VIDEO
        else None
    )
    return without_none(
        {
            "id": id_,
            "type": "Question" if content.poll else _TYPES.get(content.kind, "Note"),
            "url": url,
            "attributedTo": person(content.actor, author_id) if content.actor else None,
            "name": named(content),
            "content": html,
            "contentMap": {lang: html} if lang and html else None,
            "published": _moment(content.published, terms),
            "updated": _moment(content.updated, terms),
            "sensitive": True if content.sensitive else None,
            # As an object, since not every reader accepts a plain URL; without an id, since it isn't ours.
            "inReplyTo": {"type": "Note", "url": reply} if (reply := address(content.in_reply_to)) else None,
            "duration": _duration(film),
            **_occasion(content),
            **_vote(content),
            "attachment": [_attached(enclosure) for enclosure in enclosures] or None,
            "tag": list(_tags(content)) or None,
        }
    )


def _moment(moment: datetime | None, terms: Terms) -> str | None:
    believed = past(moment, terms.now)
    return machine_time(believed) if believed else None


def _occasion(content: Content) -> dict[str, Any]:
    if content.event is None:
        return {}
    end, place = content.event.end, content.event.place
    return {
        "startTime": machine_time(content.event.start),
        "endTime": machine_time(end) if end else None,
        "location": {"type": "Place", "name": place} if place else None,
    }


def _vote(content: Content) -> dict[str, Any]:
    if content.poll is None:
        return {}
    ends = content.poll.ends
    return {
        "oneOf": [{"type": "Note", "name": option} for option in content.poll.options] or None,
        "endTime": machine_time(ends) if ends else None,
    }


def _attached(enclosure: Enclosure) -> dict[str, Any]:
    return without_none(
        {
            "type": _ATTACHED.get(enclosure.kind, "Document"),
            "mediaType": enclosure.mime,
            "url": enclosure.url,
            "name": enclosure.alt or None,
            "width": enclosure.width,
            "height": enclosure.height,
            "duration": _duration(enclosure),
            "preview": {"type": "Image", "url": enclosure.preview} if enclosure.preview else None,
        }
    )


def _duration(enclosure: Enclosure | None) -> str | None:
    """Return an xsd:duration: "PT154S"."""
    return f"PT{enclosure.duration:.3f}".rstrip("0").rstrip(".") + "S" if enclosure and enclosure.duration else None


def _tags(content: Content) -> Iterator[dict[str, Any]]:
    for word in content.hashtags:
        yield {"type": "Hashtag", "name": f"#{word}"}
    for mention in content.mentions:
        yield without_none({"type": "Mention", "name": f"@{mention.handle}", "href": address(mention.url)})


def _named(kind: str, names: Sequence[str], terms: Terms) -> list[dict[str, Any]]:
    """Return topics or countries; each id is the stream page about it."""
    # Ids may contain lone surrogates, which UTF-8 can't encode.
    where = f"{terms.base}/?{kind}="
    return [{"type": "Object", "id": where + quote(name, safe="", errors="replace"), "name": name} for name in names]
