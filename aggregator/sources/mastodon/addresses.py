"""Recognize addresses of accounts and hashtags, and the API's paths. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = r"[a-z0-9](?:[a-z0-9-]{0,62}\.)+[a-z][a-z0-9-]{1,62}(?::[0-9]{1,5})?|(?:127\.0\.0\.1|localhost):[0-9]{1,5}"
_NAME = r"[\w](?:[\w.-]{0,98}\w)?"
_HANDLE = re.compile(rf"@?({_NAME})@({_HOST})", re.IGNORECASE)
_HASHTAG = re.compile(rf"(?:hashtag:|#)([\w]{{1,100}})@({_HOST})", re.IGNORECASE)
_PROFILE_PATH = re.compile(rf"/(?:web/)?(?:@|users/)({_NAME})(?:@({_HOST}))?/?", re.IGNORECASE)
_TAG_PATH = re.compile(r"/tags/([\w]{1,100})/?", re.IGNORECASE)
# Sites with such addresses that speak another API; a request to them is useless.
_OTHERS = frozenset(
    (
        "youtube.com",
        "medium.com",
        "tiktok.com",
        "threads.net",
        "threads.com",
        "t.me",
        "telegram.me",
        "substack.com",
        "flipboard.com",
        "x.com",
        "twitter.com",
        "bsky.app",
        "instagram.com",
        "facebook.com",
        "linkedin.com",
        "pinterest.com",
        "vimeo.com",
        "rumble.com",
        "odysee.com",
        "lbry.tv",
        "dev.to",
        "hashnode.com",
    )
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Account(NamedTuple):
    """An account: its name and the server in its handle or address."""

    name: str
    server: str  # host, and the port if it isn't the usual one
    scheme: str = "https"
    certain: bool = True  # False: another kind of site may have such addresses

    @property
    def handle(self) -> str:
        """The whole handle, "@name@server"."""
        return f"@{self.name}@{self.server}"


class Hashtag(NamedTuple):
    """A hashtag as one server knows it."""

    name: str
    server: str
    scheme: str = "https"
    certain: bool = True

    @property
    def handle(self) -> str:
        """The form in which it is stored."""
        return f"hashtag:{self.name}@{self.server}"


def subject_of(address: str) -> Account | Hashtag | None:
    """Return the account or hashtag that an address names; None if it is for another kind of source."""
    text = address.strip()
    if found := _HASHTAG.fullmatch(text):
        return Hashtag(found[1], found[2].lower())
    if text.startswith("@") and (found := _HANDLE.fullmatch(text)):
        return Account(found[1], found[2].lower())
    if text.lower().startswith("acct:") and (found := _HANDLE.fullmatch(text[5:])):
        return Account(found[1], found[2].lower())
    url = canonical_url(text) if re.match(r"https?://", text, re.IGNORECASE) else None
    return _in_url(url) if url else None


def _in_url(url: str) -> Account | Hashtag | None:
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    if parts.query or any(host == other or host.endswith(f".{other}") for other in _OTHERS):
        return None
    if found := _PROFILE_PATH.fullmatch(parts.path):
        server = (found[2] or parts.netloc).lower()
        return Account(found[1], server, parts.scheme if not found[2] else "https", certain=bool(found[2]))
    if found := _TAG_PATH.fullmatch(parts.path):
        return Hashtag(found[1], parts.netloc.lower(), parts.scheme, certain=False)
    return None


def scheme_of(server: str) -> str:
    """Return the scheme of a server; tests run theirs on this machine, without a certificate."""
    return "http" if server.startswith(("127.0.0.1:", "localhost:")) else "https"


def is_id(value: object) -> bool:
    """Return whether a value can be an id of this API, safe within a path."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def api(base: str, path: str, query: Mapping[str, str | list[str]] | None = None) -> str:
    """Return the address of a request."""
    pairs = [
        f"{quote(name, safe='[]')}={quote(value, safe='')}"
        for name, values in (query or {}).items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return f"{base}/api/v1/{path}" + (f"?{'&'.join(pairs)}" if pairs else "")
