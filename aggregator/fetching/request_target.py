"""Check request URLs and redirect targets, and derive host keys. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from aggregator.domain.errors import ForbiddenAddressError, RedirectError

if TYPE_CHECKING:
    from yarl import URL

    from aggregator.domain.errors import FetchError

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_PERMANENT = frozenset({301, 308})
_PORTS = {"http": 80, "https": 443}
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")


def host_key(url: str) -> str:
    """Return the normalized "name:port" of `url`, the key of the rate limiter.

    Raises:
        ForbiddenAddressError: the URL has no valid host.
    """
    from yarl import URL

    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.port
    except ValueError:
        host = port = None
    if not host or port is None:
        raise ForbiddenAddressError(f"{display_url(url)!r} is not a URL that can be fetched.")
    return f"{host.rstrip('.').lower()}:{port}"


def display_url(url: str) -> str:
    """Return a URL for messages: without credentials, 500 characters at most."""
    return re.sub(r"^([a-z][a-z0-9+.-]*:)?//[^/?#]*@", r"\1//", url, flags=re.IGNORECASE)[:500]


def check_address(url: str, error: type[FetchError], by_way_of: str = "") -> None:
    """Raise `error` for anything but a plain http or https URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises on a port that is none
        usable = bool(parts.hostname)
    except ValueError:
        raise error(f"{display_url(url)!r}{by_way_of} is not a URL that can be fetched.") from None
    if parts.scheme.lower() not in _PORTS:
        raise error(f"{display_url(url)!r}{by_way_of} is not an http or https URL.")
    if not usable or _UNSENDABLE.search(url):
        raise error(f"{display_url(url)!r}{by_way_of} is not a URL that can be fetched.")
    if parts.username is not None or parts.password is not None:
        raise error(f"{display_url(url)!r}{by_way_of} contains a user name or password; give the URL without.")


def wire_url(url: str) -> URL:
    """Return the URL for the HTTP library, byte for byte as given, since some publishers sign theirs."""
    from yarl import URL

    if not url.isascii():
        return URL(url)
    parts = urlsplit(url)
    return URL(parts._replace(path=parts.path or "/", fragment="").geturl(), encoded=True)


class RedirectChain:
    """The redirects of one fetch.

    Args:
        url: the first URL.
        most: the maximum number of redirects.
        downgrade: whether a redirect from https to http is allowed.

    Attributes:
        url: the next URL to request.
        permanent: the target of the leading run of permanent redirects; None without one.
    """

    def __init__(self, url: str, most: int, *, downgrade: bool = False) -> None:
        self._downgrade = downgrade
        self.url = self._first = url
        self.permanent: str | None = None
        self._most = most
        self._unbroken = True
        self._seen = {url}

    @property
    def at_home(self) -> bool:
        """Whether the next URL has the origin of the first."""
        return _origin(self.url) == _origin(self._first)

    def follow(self, status: int, location: str | None) -> None:
        """Follow one redirect.

        Raises:
            RedirectError: a loop, too many redirects, or a forbidden target.
        """
        target = _target(self.url, location, downgrade=self._downgrade)
        if target in self._seen:
            raise RedirectError(f"{display_url(self._first)} redirects in a loop (via {display_url(target)}).")
        if len(self._seen) > self._most:
            raise RedirectError(f"{display_url(self._first)} redirects more than {self._most} times.")
        self._unbroken = self._unbroken and status in _PERMANENT
        if self._unbroken:
            self.permanent = target
        self._seen.add(target)
        self.url = target


def _target(url: str, location: str | None, *, downgrade: bool) -> str:
    if not location or not location.strip():
        raise RedirectError(f"{display_url(url)} redirects without a Location header.")
    try:
        target = urljoin(url, location.strip().replace(" ", "%20")).partition("#")[0]
    except ValueError:
        target = location
    check_address(target, RedirectError, f", to which {display_url(url)} redirects,")
    schemes = (urlsplit(url).scheme.lower(), urlsplit(target).scheme.lower())
    if schemes == ("https", "http") and not downgrade:
        raise RedirectError(
            f"{display_url(url)} redirects from https to http ({display_url(target)}), which is followed only "
            "where the source allows it ('aggregator source set SLUG --downgrade')."
        )
    return target


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)
