"""Addresses that came from outside: which may become a link, and how people read them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aggregator.domain.networks import network_at

_WEB = re.compile(r"https?://[^\s/?#\\]+([/?#]\S*)?", re.IGNORECASE)
_NAMES = {"youtube.com": "YouTube", "youtu.be": "YouTube", "vimeo.com": "Vimeo"}


def web_address(address: str | None) -> str | None:
    """Return an address that may stand in `href` or `src`, or None: escaping does not disarm `javascript:`."""
    if address is None or not _WEB.fullmatch(address):
        return None
    return address


def site_name(address: str | None) -> str | None:
    """Return the name by which people know the site of an address: "YouTube", "example.org"."""
    try:
        host = urlsplit(address or "").hostname
    except ValueError:  # a bracket that is no IPv6 address
        return None
    if not host:
        return None
    if network := network_at(host):
        return network.label
    host = host.removeprefix("www.").removeprefix("mobile.")
    return _NAMES.get(host, host)
