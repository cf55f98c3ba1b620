"""The fingerprint: what people see of an activity, without the noise that changes by itself. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aggregator.text import canonical_url

if TYPE_CHECKING:
    from aggregator.activity import Content, Media, Original

_SCHEME = "2:"  # raised when the same looks get another fingerprint, so that this is told from an edit

_ATTRIBUTES = re.compile(r"<([a-z0-9]+)(?: [a-z]+=\"[^\"]*\")+>")
_PICTURE = re.compile(r'<img[^>]* src="([^"]*)"')
_COUNTED = (
    "comments?|replies|views?|likes?|shares?|votes?|points?|reads?|reactions?|kommentare?|antworten|aufrufe|comentarios?|"
    "respuestas?|visitas|commentaires?|vues|commenti|reacties"
)
_COUNTER = re.compile(
    rf"\b\d[\d.,\u00a0]*k?\s*(?:{_COUNTED})\b|\b(?:{_COUNTED})\s*[:(\[]\s*\d[\d.,\u00a0]*k?\s*[)\]]?", re.IGNORECASE
)


def fingerprint(content: Content, obj: Original | None) -> str:
    """Return the fingerprint of an activity and of the object it is about.

    White space, counters of comments and views, tracking parameters, and what follows "?" in a picture's address do not
    count. Fields at their default do not either, so that a new field changes no old fingerprint. Of the activity's own
    actor only the identity counts: names and pictures are stored once for all that somebody said.
    """
    who = [content.actor.network, content.actor.native_id] if content.actor else None
    seen = [_told(_calm(replace(content, actor=None))), who, _told(_calm(obj.content)) if obj else None]
    return _SCHEME + hashlib.sha256(json.dumps(seen, separators=(",", ":")).encode()).hexdigest()


def _calm(content: Content) -> Content:
    """Return a content without what changes by itself."""
    html = _ATTRIBUTES.sub(r"<\1>", content.html)
    pictures = "".join(_without_query(address) for address in _PICTURE.findall(content.html))
    return replace(
        content,
        title=_words(content.title) if content.title else content.title,
        text=_words(content.text),
        html=_words(html) + pictures,
        media=tuple(_calm_media(media) for media in content.media),
    )


def _words(text: str) -> str:
    return " ".join(_COUNTER.sub("#", text).split()) if _COUNTER.search(text) else " ".join(text.split())


def _calm_media(media: Media) -> Media:
    url = _without_query(media.url) if media.type == "image" else canonical_url(media.url) or media.url
    return replace(media, url=url, preview=_without_query(media.preview) if media.preview else None)


def _without_query(address: str) -> str:
    return address.partition("?")[0]


@lru_cache(maxsize=32)
def _defaults(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((f.name, f.default if f.default is not MISSING else None) for f in fields(kind))


def _told(value: Any) -> Any:  # noqa: ANN401 - walks any of the activity types
    """Return a value of the activity types as JSON can hold it, fields at their default left out."""
    if isinstance(value, tuple):
        return [_told(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if not is_dataclass(value) or isinstance(value, type):
        return value
    told: dict[str, Any] = {}
    for name, default in _defaults(type(value)):
        field = getattr(value, name)
        if field is not default and field != default:
            told[name] = _told(field)
    return told
