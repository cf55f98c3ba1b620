"""Find the parts of a post that a card shows: the post that it quotes, missing originals, its link preview. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity, Content, Link

_TITLED = frozenset({ActivityKind.ARTICLE, ActivityKind.EVENT, ActivityKind.VIDEO})


def without_original(item: Activity) -> bool:
    """Return whether an item is a repost of which only the reposter is known: its original is not available."""
    content = item.content
    if content.ids_only:
        return False
    return content.kind is ActivityKind.REPOST and item.object is None and not (content.text or content.html)


def quoting_post(item: Activity) -> Content | None:
    """Return the shown content that quotes a post: the item's own, or the original of a repost."""
    if item.content.kind is ActivityKind.REPOST:
        return item.object.content if item.object and _quotes(item.object.content) else None
    if item.content.ids_only:
        return None
    if item.content.kind in _TITLED:  # an occurrence has the key of its series
        return None
    return item.content if item.object_key or _quotes(item.content) else None


def _quotes(content: Content) -> bool:
    """Return whether a post quotes another, which its network may not name."""
    return content.quote_of is not None or content.kind is ActivityKind.QUOTE


def quoted_post(item: Activity) -> Content | None:
    """Return the post that the shown content quotes, if it is available."""
    if item.content.kind is not ActivityKind.REPOST:
        return item.object.content if item.object else None
    return item.object.object.content if item.object and item.object.object else None


def preview_of(content: Content) -> Link | None:
    """Return the link whose preview is shown below a post: an article's, or the last one if there is no media."""
    if content.kind in _TITLED:
        return None
    described = [link for link in content.links if link.title]
    article = next((link for link in described if link.title == content.title), None)
    return article or (described[-1] if described and not content.media and not content.quote_of else None)
