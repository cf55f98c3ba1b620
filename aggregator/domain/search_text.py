"""Build the text that full-text search matches. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.text import search_terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import Content, Original


def search_text(content: Content, original: Original | None) -> str:
    """Return the words of an activity and its object, split by `text.words` and joined by spaces."""
    quoted = original.object if original else None
    shown = [content, *(part.content for part in (original, quoted) if part)]
    return " ".join(search_terms.words(*(word for part in shown for word in _words(part))))


def _words(content: Content) -> Iterator[str]:
    yield content.title or ""
    yield content.text
    yield from content.poll.options if content.poll else ()
    for link in content.links:
        yield link.title or ""
        yield link.description or ""
    yield from content.hashtags
    if content.actor:
        yield content.actor.name
        yield content.actor.handle or ""
