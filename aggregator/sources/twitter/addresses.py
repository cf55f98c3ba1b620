"""Parse addresses on X: handles, profile and post URLs, ids. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aggregator.sources.twitter.network import X

_AT_HANDLE = re.compile(r"@([A-Za-z0-9_]{1,15})")
_PROFILE = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/@?([A-Za-z0-9_]{1,15})/?(?:\?[^#]*)?", re.IGNORECASE
)
# First path segments on X that are X's own pages, not handles.
_NO_HANDLE = re.compile(
    "about|account|compose|download|explore|hashtag|home|i|intent|jobs|login|logout|messages|notifications|privacy"
    "|search|settings|share|signup|tos|who_to_follow",
    re.IGNORECASE,
)
USER_ID = re.compile(r"[0-9]{1,19}")
_STATUS = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/\w+/status(?:es)?/([0-9]{1,19})\b.*", re.IGNORECASE
)
_POST_ID = re.compile(r"(?:x:)?([0-9]{1,19})")
_ACCOUNT_ID = re.compile(r"(?:x:@)?([0-9]{1,19})")


def post_id(text: str) -> str | None:
    """Return the id of a post from its id, its key or its URL."""
    found = _POST_ID.fullmatch(text) or _STATUS.fullmatch(text)
    return found[1] if found else None


def account_id(text: str) -> str | None:
    """Return the id of an account from its id or its key."""
    found = _ACCOUNT_ID.fullmatch(text)
    return found[1] if found else None


def is_on_x(address: str) -> bool:
    """Return whether a URL is on X."""
    try:
        return X.owns(urlsplit(address).hostname or "")
    except ValueError:  # a bracket that is not part of an IPv6 address
        return False


def handle_in(address: str) -> str | None:
    """Return the handle in a profile URL, or None for any other URL."""
    if match := _AT_HANDLE.fullmatch(address):
        return match[1]
    match = _PROFILE.fullmatch(address)
    return match[1] if match and not _NO_HANDLE.fullmatch(match[1]) else None
