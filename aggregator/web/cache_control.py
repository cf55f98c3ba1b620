"""Define how long browsers and proxies may keep each kind of response (Cache-Control)."""

from __future__ import annotations

# Seconds: hidden items must leave all caches within 2 s, even if this server is unreachable.
FRESH = "public, max-age=1, stale-while-revalidate=1"
FRESH_PRIVATE = "private, max-age=1"
ALWAYS_ASK = "no-cache"  # cached, but revalidated each time: "Show new items" has to load them
ALWAYS_ASK_PRIVATE = f"private, {ALWAYS_ASK}"
NO_STORE = "no-store"
IMMUTABLE = "public, max-age=31536000, immutable"  # files with their version in the path
# Files of the embed: sites link to their addresses, which have no version.
EMBED_FILE = "public, max-age=300, stale-while-revalidate=86400, stale-if-error=604800"
SITE_FILE = "public, max-age=3600"  # robots.txt, icons, manifest: nothing of an item is in them
THUMBNAIL = "public, max-age=60"  # removed items leave caches soon; revalidation costs no bytes


def headers_for(token: str | None, cache: str) -> dict[str, str]:
    """Return the headers of a response that depends on the caller.

    Args:
        token: the id of the caller's token, or None.
        cache: Cache-Control of the public response.
    """
    if token is not None:
        cache = ALWAYS_ASK_PRIVATE if cache == ALWAYS_ASK else FRESH_PRIVATE
    return {"Cache-Control": cache, "Vary": "Authorization"}
