"""Reduce the facts about a source to public ones: its home page and a message for each error code. Pure.

Feed URLs may contain keys (`?key=...`, private calendars), and error messages name internal hosts and addresses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aggregator.domain.networks import network_at, profile_of
from aggregator.domain.source import SourceState
from aggregator.web.translation import translatable

if TYPE_CHECKING:
    from aggregator.domain.source import Source

OVERDUE = "overdue"  # the code of a source without an error that has not been polled for a long time
FAILED = "source-failed"  # the code of a stopped source without an error of its own

_HANDLE = re.compile(r"@([A-Za-z0-9_]{1,15})")
_PORTS = {"http": {None, 80}, "https": {None, 443}}
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
# Labels of private network names: RFC 6761, RFC 6762, RFC 8375, and common company names.
_PRIVATE = frozenset(
    ("arpa", "corp", "home", "internal", "intra", "intranet", "lan", "local", "localdomain", "localhost", "onion")
) | {"private", "test", "vpn"}
_SENTENCES = {
    OVERDUE: translatable("It has not been polled for a long time."),
    "account-missing": translatable("The account does not exist."),
    "account-protected": translatable("The account is protected."),
    "account-suspended": translatable("The account is suspended."),
    "budget": translatable("The budget for this network is used up."),
    "cap-reached": translatable("The usage cap of this network is reached."),
    "credentials": translatable("The network refuses this site's access."),
    "credits": translatable("The credits for this network are used up."),
    "gone": translatable("The publisher removed it."),
    "not-allowed": translatable("The network refuses this site's access."),
    "host-paused": translatable("The publisher asked for fewer requests."),
    "http-status": translatable("The publisher's server answered with an error."),
    "robot-check": translatable("The publisher's server answered with a bot check."),
    "sign-in": translatable("The publisher requires a password."),
    "unreachable": translatable("The publisher's server could not be reached."),
    "broken-off": translatable("The publisher's server closed the connection early."),
    "unreadable": translatable("The publisher's document could not be read."),
    "no-feed": translatable("The publisher's document could not be read."),
    "too-complex": translatable("The publisher's document could not be read."),
    "too-slow": translatable("The publisher's server was too slow."),
    "slow-connect": translatable("The publisher's server was too slow."),
    "slow-first-byte": translatable("The publisher's server was too slow."),
    "slow-total": translatable("The publisher's server was too slow."),
    "too-large": translatable("The publisher's document is too large."),
    "too-large-wire": translatable("The publisher's document is too large."),
    "too-large-unpacked": translatable("The publisher's document is too large."),
    "too-large-headers": translatable("The publisher's document is too large."),
}
_OTHER = translatable("It could not be read.")
_UNNAMED = translatable("A publisher's server")


def error_code(state: SourceState, last_error_code: str | None) -> str | None:
    """Return the code of a source's current error, or None."""
    return FAILED if last_error_code is None and state is SourceState.STOPPED else last_error_code


def sentence_of(code: str) -> str:
    """Return the public message for an error code."""
    return _SENTENCES.get(code, _OTHER)


def site_of(source: Source) -> str | None:
    """Return the home page of a source, or None if it has none or its host may be private.

    Only scheme and host of a web URL are public; a port, an IP address or a name without a public domain is likely
    internal.
    """
    if handle := _HANDLE.fullmatch(source.address):
        return profile_of(source.kind, handle[1])
    try:
        parts = urlsplit(source.address)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if not _is_public(host) or port not in _PORTS.get(parts.scheme, ()):
        return None
    return f"{parts.scheme}://{host}/"


def service_of(host: str) -> str:
    """Return the public name of a host group ("name:port"): its network's, or the host's unless it may be private."""
    name, _, port = host.rpartition(":")
    network = network_at(name)
    if network is not None and network.label:
        return network.label
    return name if _is_public(name) and port in {"80", "443"} else _UNNAMED


def _is_public(host: str) -> bool:
    return _NAME.fullmatch(host) is not None and _PRIVATE.isdisjoint(host.split("."))
