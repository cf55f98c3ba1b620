"""Decode texts of Atom 0.3 that are written in base64. Pure."""

from __future__ import annotations

import base64

from aggregator.sources.rss.charset import decoded
from aggregator.sources.rss.control_characters import without_controls


def text_in_base64(text: str) -> str | None:
    """Return a text that is written in base64, in any encoding of characters; None for another text."""
    data = "".join(text.split())
    try:
        content = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except ValueError:
        return None
    return without_controls(decoded(content, "").body.decode("utf-8", "replace"))
