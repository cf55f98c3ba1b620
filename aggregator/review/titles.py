"""Name items by what people see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.text.html import excerpt
from aggregator.web.labels import announced

if TYPE_CHECKING:
    from aggregator.domain.activity import Activity

_LONGEST = 110  # characters


def title_of(item: Activity, length: int = _LONGEST) -> str:
    """Return an item's headline, title or first words, or what it is if it has none."""
    original = item.object.content if item.object else None
    texts = [item.headline, item.content.title, item.content.text]
    texts += [original.title, original.text] if original else []
    return next((excerpt(text, length) for text in texts if text and text.strip()), announced(item.content))
