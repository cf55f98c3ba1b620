"""Build responses with an ETag, and 304 for unchanged content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from starlette.responses import Response

from aggregator.web.cache_control import ALWAYS_ASK

if TYPE_CHECKING:
    from starlette.requests import Request

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_DIGEST_BYTES = 12


def answer(request: Request, body: bytes, media_type: str, *, cache: str = ALWAYS_ASK) -> Response:
    """Return the body with its ETag, or 304 if the client already has these bytes.

    The tag is a hash of the bytes, so it covers the stream, sources, time and templates.
    """
    tag = f'W/"{hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": cache}
    if _holds(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def _holds(if_none_match: str, tag: str) -> bool:
    """Compare weakly, as If-None-Match requires: `W/` is ignored."""
    etags = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in etags or tag.removeprefix("W/") in etags
