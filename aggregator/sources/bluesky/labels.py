"""Decide by labels what may be shown. Pure.

Moderators and authors label posts and accounts. A label can be withdrawn by one with `neg`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from aggregator.source_api.untrusted_json import Record, record, records, text

if TYPE_CHECKING:
    from collections.abc import Sequence

_HIDDEN = frozenset({"!hide", "!takedown", "!suspend"})
_SIGNED_IN_ONLY = "!no-unauthenticated"
_SENSITIVE = frozenset({"!warn", "porn", "sexual", "nudity", "graphic-media", "gore", "nsfl"})


class Hidden(StrEnum):
    """Why something is not shown."""

    MODERATED = "moderated"
    SIGNED_IN_ONLY = "signed-in only"


def hidden_by(*labelled: Record) -> Hidden | None:
    """Return why a post, by its labels and its author's, is not shown; None: it is shown."""
    values = {label["val"] for found in labelled for label in _active(found.get("labels"))}
    if values & _HIDDEN:
        return Hidden.MODERATED
    return Hidden.SIGNED_IN_ONLY if _SIGNED_IN_ONLY in values else None


def is_sensitive(labels: object, author: Record, post: Record) -> bool:
    """Return whether content is for adults or shocking.

    Args:
        labels: of moderators, about the post.
        author: labels of the whole account count, those of its profile and picture don't.
        post: the record, in which authors label their own posts.
    """
    about_account = [label for label in _active(author.get("labels")) if label.get("uri") == author.get("did")]
    own = [value.get("val") for value in records(record(post.get("labels")).get("values"))]
    values = [label["val"] for label in (*_active(labels), *about_account)]
    return any(text(value) in _SENSITIVE for value in (*own, *values))


def _active(labels: object) -> Sequence[Record]:
    """Return the labels that are not withdrawn."""
    active: dict[tuple[Any, ...], Record] = {}
    for label in records(labels):
        if not isinstance(label.get("val"), str):
            continue
        about = (str(label.get("src")), str(label.get("uri")), label["val"])
        if label.get("neg") is True:
            active.pop(about, None)
        else:
            active[about] = label
    return list(active.values())
