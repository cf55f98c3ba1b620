"""What an entry is known by besides its id, for publishers that change every id at once. Pure.

A site that moves from http to https, to another host or to another system gives all its entries new ids. Two further
marks recognise them: the *alias*, its address or id without what a move changes, and its *likeness*, how it reads and
when it was published. Neither is believed alone: see `recognised`.
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
_LEAST_TEXT = 40  # letters and digits of title and text, below which two entries read alike by chance
_READ = 400  # characters of the text that count: the rest is where cut and whole texts differ


class Marks(NamedTuple):
    """What an entry is recognised by."""

    alias: str | None = None
    likeness: str | None = None


class Held(NamedTuple):
    """An entry that we hold, as far as recognising it goes."""

    native_id: str
    alias: str | None
    likeness: str | None
    title: str | None
    published: datetime | None


def marks(new: NewActivity) -> Marks:
    """Return the marks of an entry; None where there is too little to go by."""
    return Marks(_alias(new.native_id, new.content.url), _likeness(new.content))


def recognised(fresh: Sequence[ScreenedActivity], held: Sequence[Held], present: Collection[str]) -> Mapping[str, str]:
    """Say which entries with ids unknown to us are ones that we hold: new id to held id.

    An alias is believed where the title or the date is the same too; a likeness by itself. What still stands in the
    document under its own id is another entry, and each held one is recognised once.

    Args:
        fresh: entries of one document whose ids are unknown.
        held: entries of the same source that share a mark with one of them.
        present: every id that the document carries.
    """
    free = [one for one in held if one.native_id not in present]
    found: dict[str, str] = {}
    for entry in fresh:
        match = next((one for one in free if _same(entry, one)), None)
        if match is not None:
            free.remove(match)
            found[entry.new.native_id] = match.native_id
    return found


def _same(entry: ScreenedActivity, held: Held) -> bool:
    if entry.likeness is not None and entry.likeness == held.likeness:
        return True
    content = entry.new.content
    by_title = content.title is not None and content.title == held.title
    by_date = content.published is not None and content.published == held.published
    return entry.alias is not None and entry.alias == held.alias and (by_title or by_date)


def _alias(native_id: str, url: str | None) -> str | None:
    for name in (url, native_id):
        rest = _without_place(name) if name else None
        if rest:
            return _short(rest)
    return None


def _without_place(name: str) -> str | None:
    """Return what a move leaves of an address or tag: its path and query; None where that says nothing."""
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
