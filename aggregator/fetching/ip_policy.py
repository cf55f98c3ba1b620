"""Decide which IP addresses may be connected to. Pure.

The standard library's `is_global` is not enough: it treats several translation prefixes as public, through which a
private IPv4 address can be reached, and some cloud metadata services have formally public addresses.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(block), why)
    for block, why in (
        ("127.0.0.0/8", "this machine"),
        ("::1/128", "this machine"),
        ("0.0.0.0/8", "this machine"),
        ("::/128", "this machine"),
        ("10.0.0.0/8", "a private network"),
        ("172.16.0.0/12", "a private network"),
        ("192.168.0.0/16", "a private network"),
        ("fc00::/7", "a private network"),
        ("fec0::/10", "a private network"),
        ("100.64.0.0/10", "a carrier-grade NAT network"),
        ("169.254.0.0/16", "a link-local address, used for cloud metadata"),
        ("fe80::/10", "a link-local address"),
        ("192.0.0.0/24", "reserved, and used by a cloud metadata service"),
        ("168.63.129.16/32", "a cloud metadata service"),
        ("224.0.0.0/4", "a multicast group"),
        ("ff00::/8", "a multicast group"),
        ("240.0.0.0/4", "reserved"),
        ("192.88.99.0/24", "a relay into another network"),
        ("::/96", "an embedded IPv4 address"),
        ("::ffff:0:0:0/96", "an embedded IPv4 address"),
        ("64:ff9b::/96", "an embedded IPv4 address"),
        ("64:ff9b:1::/48", "an embedded IPv4 address"),
        ("2002::/16", "an embedded IPv4 address"),
        ("2001::/32", "an embedded IPv4 address"),
    )
)


def parsed(address: str) -> Address:
    """Parse an address of the socket module, without its zone, and an IPv4-mapped one as IPv4.

    Raises:
        ValueError: not an IP address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def is_address(text: str) -> bool:
    """Return whether a host is an IP address and not a name."""
    try:
        parsed(text)
    except ValueError:
        return False
    return True


def within(address: str, networks: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks; False where it is not an IP address."""
    return is_address(address) and any(parsed(address) in network for network in networks)


def deny_reason(address: str, allowed: Sequence[Network]) -> str | None:
    """Return why `address` must not be connected to, or None where it may.

    Args:
        address: the address of the socket, never a name.
        allowed: private networks that the settings allow.
    """
    try:
        found = parsed(address)
    except ValueError:
        return "not an IP address"
    if any(found in network for network in allowed):
        return None
    return _refusal(found)


@lru_cache(maxsize=1024)
def _refusal(found: Address) -> str | None:
    for network, why in _REFUSED:
        if found in network:
            return why
    return None if found.is_global else "not a public address"
