"""Match entries of publishers that change all ids at once. Pure.

A site that moves to https, another host or another system gives all its entries new ids. Two marks match them: the
*alias*, the address or id without the parts that a move changes, and the *likeness*, a digest of text and publication
time. See `recognised` for how they are combined.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from aggregator.domain.activity import Content, NewActivity, ScreenedActivity

_TAG = re.compile(r"tag:[^,:]+,[0-9-]+:(?P<specific>.+)", re.DOTALL)
_LETTERS = re.compile(r"[^\W_]+")
_LEAST_TEXT = 40  # letters and digits of title and text; shorter entries are similar by chance
_READ = 400  # characters of the text that count: truncated and full texts differ after that


class Marks(NamedTuple):
    """The marks that identify an entry."""

    alias: str | None = None
    likeness: str | None = None


class Held(NamedTuple):
    """A stored entry with its marks."""

    native_id: str
    alias: str | None
    likeness: str | None
    title: str | None
    published: datetime | None


def marks(new: NewActivity) -> Marks:
    """Return the marks of an entry; None if it has too little text."""
    return Marks(_alias(new.native_id, new.content.url), _likeness(new.content))


def recognised(
    fresh: Sequence[ScreenedActivity], stored: Sequence[Held], present: Collection[str]
) -> Mapping[str, str]:
    """Match entries with unknown ids to stored ones: new id to stored id.

    An alias counts if the title or the date is the same; a likeness always does. A stored entry whose id is still in
    the document isn't matched, and each one is matched once.

    Args:
        fresh: entries of one document with unknown ids.
        stored: entries of the same source that share a mark with one of them.
        present: all ids in the document.
    """
    free = [candidate for candidate in stored if candidate.native_id not in present]
    found: dict[str, str] = {}
    for entry in fresh:
        match = next((candidate for candidate in free if _same(entry, candidate)), None)
        if match is not None:
            free.remove(match)
            found[entry.new.native_id] = match.native_id
    return found


def _same(entry: ScreenedActivity, candidate: Held) -> bool:
    if entry.likeness is not None and entry.likeness == candidate.likeness:
        return True
    content = entry.new.content
    by_title = content.title is not None and content.title == candidate.title
    by_date = content.published is not None and content.published == candidate.published
    return entry.alias is not None and entry.alias == candidate.alias and (by_title or by_date)


def _alias(native_id: str, url: str | None) -> str | None:
    for name in (url, native_id):
        rest = _without_place(name) if name else None
        if rest:
            return _short(rest)
    return None


def _without_place(name: str) -> str | None:
    """Return the path and query of a URL or tag, which survive a move; None if they say nothing."""
    tag = _TAG.fullmatch(name)
    if tag:
        return tag["specific"]
    try:
        parts = urlsplit(name)
    except ValueError:
        return None
    rest = parts.path.strip("/") + (f"?{parts.query}" if parts.query else "")
    return rest if parts.scheme in {"http", "https"} and rest else None


def _likeness(content: Content) -> str | None:
    words = _LETTERS.findall(f"{content.title or ''} {content.text[:_READ]}".casefold())
    if content.published is None or sum(map(len, words)) < _LEAST_TEXT:
        return None
    return _short(f"{content.published.isoformat()} {' '.join(words)}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
