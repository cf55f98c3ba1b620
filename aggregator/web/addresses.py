"""Check URLs from outside, and format them for people."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aggregator.domain.networks import network_at

_WEB = re.compile(r"https?://[^\s/?#\\]+([/?#]\S*)?", re.IGNORECASE)
_NAMES = {"youtube.com": "YouTube", "youtu.be": "YouTube", "vimeo.com": "Vimeo"}


def web_address(address: str | None) -> str | None:
    """Return a URL that is safe in `href` or `src`, or None: escaping does not disarm `javascript:`."""
    if address is None or not _WEB.fullmatch(address):
        return None
    return address


def site_name(address: str | None) -> str | None:
    """Return the display name of a URL's site, such as "YouTube" or "example.org"."""
    try:
        host = urlsplit(address or "").hostname
    except ValueError:  # a bracket that isn't an IPv6 address
        return None
    if not host:
        return None
    if network := network_at(host):
        return network.label
    host = host.removeprefix("www.").removeprefix("mobile.")
    return _NAMES.get(host, host)
