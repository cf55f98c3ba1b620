"""Match entries whose ids changed with those that are stored. Pure.

A site that moves from http to https, to another host or to another system gives all its entries new ids. Two further
keys identify them: the *stable key*, an address or id without the parts that a move changes, and the *content key*, a
digest of the text and the publication time. `match_existing` defines when each is trusted.
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
_READ = 400  # characters of the text that count: truncated and full texts differ later


class EntryKeys(NamedTuple):
    """The keys that identify an entry besides its id."""

    stable_key: str | None = None
    content_key: str | None = None


class StoredKeys(NamedTuple):
    """The stored values that an entry is compared with."""

    native_id: str
    stable_key: str | None
    content_key: str | None
    title: str | None
    published: datetime | None


def entry_keys(new: NewActivity) -> EntryKeys:
    """Return the keys of an entry; None: not enough data."""
    return EntryKeys(_stable_key(new.native_id, new.content.url), _content_key(new.content))


def match_existing(
    fresh: Sequence[ScreenedActivity], stored: Sequence[StoredKeys], present: Collection[str]
) -> Mapping[str, str]:
    """Map new ids of entries to the ids under which they are stored.

    A stable key counts if the title or the date is also equal; a content key counts alone. An entry whose own id is
        still in the document is a different one, and each stored entry is matched once.

    Args:
        fresh: entries of one document whose ids are unknown.
        stored: entries of the same source that share a key with one of them.
        present: all ids of the document.
    """
    free = [candidate for candidate in stored if candidate.native_id not in present]
    found: dict[str, str] = {}
    for entry in fresh:
        match = next((candidate for candidate in free if _same(entry, candidate)), None)
        if match is not None:
            free.remove(match)
            found[entry.new.native_id] = match.native_id
    return found


def _same(entry: ScreenedActivity, stored: StoredKeys) -> bool:
    if entry.content_key is not None and entry.content_key == stored.content_key:
        return True
    content = entry.new.content
    by_title = content.title is not None and content.title == stored.title
    by_date = content.published is not None and content.published == stored.published
    return entry.stable_key is not None and entry.stable_key == stored.stable_key and (by_title or by_date)


def _stable_key(native_id: str, url: str | None) -> str | None:
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


def _content_key(content: Content) -> str | None:
    words = _LETTERS.findall(f"{content.title or ''} {content.text[:_READ]}".casefold())
    if content.published is None or sum(map(len, words)) < _LEAST_TEXT:
        return None
    return _short(f"{content.published.isoformat()} {' '.join(words)}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
