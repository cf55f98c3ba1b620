"""Which IP addresses a publisher may live at. Pure: an address in, the reason for refusing it out.

The standard library's `is_global` is not enough: it holds several translation prefixes for public, through which a
private IPv4 address can be reached, and some metadata services live at addresses that are formally public.
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
        ("127.0.0.0/8", "this machine itself"),
        ("::1/128", "this machine itself"),
        ("0.0.0.0/8", "this machine itself"),
        ("::/128", "this machine itself"),
        ("10.0.0.0/8", "a private network"),
        ("172.16.0.0/12", "a private network"),
        ("192.168.0.0/16", "a private network"),
        ("fc00::/7", "a private network"),
        ("fec0::/10", "a private network"),
        ("100.64.0.0/10", "a network shared by a carrier's customers"),
        ("169.254.0.0/16", "a link-local address, where cloud metadata lives"),
        ("fe80::/10", "a link-local address"),
        ("192.0.0.0/24", "reserved, and a cloud metadata service lives there"),
        ("168.63.129.16/32", "a cloud metadata service"),
        ("224.0.0.0/4", "a multicast group"),
        ("ff00::/8", "a multicast group"),
        ("240.0.0.0/4", "reserved"),
        ("192.88.99.0/24", "a relay into another network"),
        ("::/96", "an IPv4 address in disguise"),
        ("::ffff:0:0:0/96", "an IPv4 address in disguise"),
        ("64:ff9b::/96", "an IPv4 address in disguise"),
        ("64:ff9b:1::/48", "an IPv4 address in disguise"),
        ("2002::/16", "an IPv4 address in disguise"),
        ("2001::/32", "an IPv4 address in disguise"),
    )
)


def parsed(address: str) -> Address:
    """Read an address as the socket module gives it: without its zone, and IPv4-mapped as the IPv4 address it means.

    Raises:
        ValueError: it is no IP address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def is_address(text: str) -> bool:
    """Whether a host is written as an IP address, not as a name."""
    try:
        parsed(text)
    except ValueError:
        return False
    return True


def within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; False where it is no address."""
    return is_address(address) and any(parsed(address) in network for network in networks)


def deny_reason(address: str, allowed: Sequence[Network]) -> str | None:
    """Say in words why `address` is not to be connected to, or None where it may be.

    Args:
        address: the very address that is about to be dialled, never a name.
        allowed: private networks that the operator opened.
    """
    try:
        found = parsed(address)
    except ValueError:
        return "no IP address"
    if any(found in network for network in allowed):
        return None
    return _refusal(found)


@lru_cache(maxsize=1024)
def _refusal(found: Address) -> str | None:
    for network, why in _REFUSED:
        if found in network:
            return why
    return None if found.is_global else "no public address"
