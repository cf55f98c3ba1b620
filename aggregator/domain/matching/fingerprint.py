"""Fingerprint the visible content of an activity, ignoring noise such as counters. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from aggregator.domain.activity import Content
from aggregator.domain.adapters import adapter

if TYPE_CHECKING:
    from aggregator.domain.activity import Original

_SCHEME = "2:"  # increased when the same content gets a new fingerprint, which distinguishes that from an edit

_CALMED = {"title", "text", "html", "media", "links", "actor"}

_ATTRIBUTES = re.compile(r"<([a-z0-9]+)(?: [a-z]+=\"[^\"]*\")+>")
_PICTURE = re.compile(r'<img[^>]* src="([^"]*)"')
_COUNTED = (
    "comments?|replies|views?|likes?|reactions?|kommentare?|antworten|aufrufe|comentarios?|respuestas?|visitas|"
    "commentaires?|vues|commenti|reacties"
)
_LABELS = rf"{_COUNTED}|shares?|votes?|points?|reads?"  # after a number these may be the news: "bought 500 shares"
_NUMBER = r"[0-9][0-9.,\u00a0]{0,15}+k?"  # bounded: a long row of digits would be matched again from each digit
# Both patterns begin with rare characters, so that most texts are skipped quickly.
_BEFORE = re.compile(rf"{_NUMBER}\s{{0,3}}+(?:{_COUNTED})\b", re.IGNORECASE)  # "12 comments"
_BEHIND = re.compile(rf"[:(\[]\s{{0,3}}+{_NUMBER}\s{{0,3}}+[)\]]?", re.IGNORECASE)  # "Comments (12)"
_ENDS_COUNTED = re.compile(rf"\b(?:{_LABELS})\s*$", re.IGNORECASE)
_LONGEST_COUNTED = 20  # characters


def fingerprint(content: Content, obj: Original | None) -> str:
    """Return the fingerprint of an activity and its object; both must be storable.

    Ignored: whitespace, counters of comments and views, tracking parameters, and the query of image URLs. Fields with
    default values are ignored, too, so that a new field changes no old fingerprint. Actors count by identity: names and
    images are stored once per actor.
    """
    digest = hashlib.sha256(_seen(content))
    if obj is not None:
        digest.update(b"\nof\n" + _seen(obj.content))
        if obj.object is not None:
            digest.update(b"\nof\n" + _seen(obj.object.content))
    return _SCHEME + digest.hexdigest()


def _seen(content: Content) -> bytes:
    """Return the visible parts of a content without noise."""
    html = content.html
    calm = [_words(content.title or ""), _words(content.text), _words(_ATTRIBUTES.sub(r"<\1>", html))]
    calm += [_without_query(address) for address in _PICTURE.findall(html)]
    for media in content.media:
        address = _without_query(media.url) if media.type == "image" else media.url
        calm.append(f"{media.type} {address} {_without_query(media.preview or '')} {media.alt or ''}")
    calm += [f"{link.url} {_words(link.text or '')} {link.via or ''}" for link in content.links]
    rest = adapter(Content).dump_json(content, exclude_defaults=True, exclude=_CALMED)
    who = [content.actor.network, content.actor.native_id] if content.actor else []
    return rest + "\n".join([*calm, "by", *who]).encode()


def _words(text: str) -> str:
    return " ".join(_BEHIND.sub(_uncounted, _BEFORE.sub("#", text)).split())


def _uncounted(found: re.Match[str]) -> str:
    before = found.string[max(found.start() - _LONGEST_COUNTED, 0) : found.start()]
    return "#" if _ENDS_COUNTED.search(before) else found[0]


def _without_query(address: str) -> str:
    return address.partition("?")[0]
