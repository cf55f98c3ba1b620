"""Answers with a validator: what has not changed is not sent again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

JSON = "application/json"
HTML = "text/html; charset=utf-8"
# Seconds: what is hidden must be gone from caches, too, within 2, even while we can't be reached.
FRESH = "public, max-age=1, stale-while-revalidate=1"
ALWAYS_ASK = "no-cache"  # kept, but never shown without asking: a click on "new items" has to bring them
_DIGEST_BYTES = 12


def answer(request: Request, body: bytes, media_type: str, *, cache: str = ALWAYS_ASK) -> Response:
    """Return the body with its ETag, or 304 where the client says that it has these very bytes.

    The tag is made of the bytes: whatever they depend on (stream, sources, clock, templates), it can't be wrong.
    """
    tag = f'W/"{hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": cache}
    if _holds(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def _holds(if_none_match: str, tag: str) -> bool:
    """Compare weakly, as If-None-Match asks: `W/` does not count."""
    held = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in held or tag.removeprefix("W/") in held
