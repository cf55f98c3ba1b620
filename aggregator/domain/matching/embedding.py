"""Decide which activities get a newer version of the post that they embed. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import WITHHELD_EVERYWHERE, ActivityKind, NewActivity, Original

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.domain.activity import Activity, Content


def originals_in(activities: Iterable[NewActivity]) -> dict[str, Original]:
    """Return the newest version of each post that activities may embed: the activities themselves, and their objects.

    Posts that are withheld everywhere are left out.
    """
    found: list[Original] = []
    for new in activities:
        if new.content.kind is not ActivityKind.REPOST:
            found.append(Original(new.key, new.native_id, new.content, new.object))
        if new.object is not None:
            found.append(new.object)
    return newest(original for original in found if WITHHELD_EVERYWHERE.isdisjoint(original.content.withheld))


def newest(originals: Iterable[Original]) -> dict[str, Original]:
    """Return the newest version of each post by its key; of equal versions the first."""
    found: dict[str, Original] = {}
    for original in originals:
        known = found.get(original.key)
        if known is None or _version(known.content) < _version(original.content):
            found[original.key] = original
    return found


def with_current_object(stored: Activity, originals: Mapping[str, Original]) -> NewActivity | None:
    """Return a stored activity with the current version of the post that it embeds, or None if it has that already."""
    original = originals.get(stored.object_key or "")
    if original is None or not _supersedes(original, stored.object):
        return None
    if stored.object is not None:
        content = _as_known(original.content, stored.object.content)
        original = replace(stored.object, content=content)
    former = set(stored.object.content.withheld) if stored.object else set()
    content = replace(stored.content, complete=True)
    if content.kind is ActivityKind.REPOST:  # its text was a truncated copy, and it is withheld with its original
        codes = {*content.withheld} - former | {*original.content.withheld}
        content = replace(
            content, text="", html="", media=(), links=(), hashtags=(), mentions=(), withheld=tuple(sorted(codes))
        )
    state = f"{stored.fingerprint}|{original.content.url}|{original.content.withheld}"
    same = {field.name: getattr(stored, field.name) for field in fields(NewActivity) if hasattr(stored, field.name)}
    digest = hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
    return NewActivity(**{**same, "content": content, "object": original, "entry_digest": digest})


def with_known_object(new: NewActivity, known: Mapping[str, Original]) -> NewActivity:
    """Return an activity with the known version of the post that it embeds, if the response has an older one."""
    stored = known.get(new.object.key) if new.object else None
    if new.object is None or stored is None or _version(stored.content) <= _version(new.object.content):
        return new
    return replace(new, object=stored)


def _supersedes(original: Original, stored: Original | None) -> bool:
    if stored is None:
        return True
    new, old = _version(original.content), _version(stored.content)
    return new > old or (new == old and set(original.content.withheld) != set(stored.content.withheld))


def _as_known(content: Content, stored: Content) -> Content:
    """Return newer content with the known author: a response may not name them."""
    known, given = stored.actor, content.actor
    if known is None or given is None or known.native_id != given.native_id or not given.partial:
        return content
    return replace(content, actor=known, url=_address(content.url, stored.url) if known.handle else content.url)


def _address(url: str | None, stored: str | None) -> str | None:
    """Return the address of a version: the stored one with the newer id."""
    base, slash, _ = (stored or "").rpartition("/")
    return f"{base}{slash}{(url or '').rpartition('/')[2]}" if slash else url


def _version(content: Content) -> tuple[int, str]:
    """Return the sort key of a version: ids are numbers, so a longer id is later."""
    version = (content.url or "").rpartition("/")[2]
    return len(version), version
