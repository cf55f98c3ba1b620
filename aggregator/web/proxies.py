"""Handle trusted proxies: their forwarding headers and the public path prefix."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from aggregator.config.settings import Network

_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


class Origin(NamedTuple):
    """The client and URL of a request as seen by trusted proxies; None: use the connection's own."""

    client: str | None = None
    scheme: str | None = None
    host: str | None = None


def origin(peer: str | None, forwarded: Mapping[bytes, str], trusted: Sequence[Network]) -> Origin:
    """Return the origin according to trusted proxies, empty if the peer isn't trusted.

    `forwarded` comes from `forwarded_by`. Only the end of each list counts, which trusted proxies wrote.
    """
    if peer is None or not is_trusted(peer, trusted):
        return Origin()
    client = peer
    for hop in reversed(_parts(forwarded.get(b"x-forwarded-for", ""))):
        if _address(hop) is None:
            break
        client = hop
        if not is_trusted(hop, trusted):
            break
    scheme = _last(forwarded.get(b"x-forwarded-proto", "")).lower()
    host = _last(forwarded.get(b"x-forwarded-host", ""))
    return Origin(
        client=client,
        scheme=scheme if scheme in {"http", "https"} else None,
        host=host if _HOST.fullmatch(host) else None,
    )


class Forwarded:
    """Applies the headers of trusted proxies to the scope and removes them, so that inner code can't trust others.

    `prefix` is the path of the public URL ("/stream" or ""): proxies may strip it or keep it.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network], prefix: str) -> None:
        self._app = app
        self._trusted = trusted
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as the outermost trusted proxy received it."""
        await self._app(self._seen_from_outside(scope) if scope["type"] == "http" else scope, receive, send)

    def _seen_from_outside(self, scope: Scope) -> Scope:
        peer = scope["client"]
        client = origin(peer[0] if peer else None, forwarded_by(scope["headers"]), self._trusted)
        headers = [(name, value) for name, value in scope["headers"] if name not in _FORWARDED]
        if client.host:
            headers = [(name, value) for name, value in headers if name != b"host"]
            headers.append((b"host", client.host.encode("ascii")))
        path = scope["path"]
        if self._prefix and path.startswith(self._prefix + "/"):
            path = path[len(self._prefix) :]
        return {
            **scope,
            "path": path,
            "headers": headers,
            "scheme": client.scheme or scope["scheme"],
            "client": (client.client, 0) if client.client and client.client != peer[0] else peer,
        }


class UnambiguousHost:
    """Rejects repeated or malformed Host headers, which caches and servers interpret differently."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, str], Response]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its Host header is valid."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) > 1 or (hosts and not _HOST.fullmatch(hosts[0].decode("latin-1"))):
                # The response must not contain an address from the invalid header.
                plain = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"host"]}
                answer = self._refuse(Request(plain), "A request has one Host header with a host name in it.")
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def forwarded_by(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """Return the X-Forwarded-* headers by lower-case name, repeated ones joined by commas."""
    joined: dict[bytes, str] = {}
    for name, value in headers:
        if name in _FORWARDED:
            text = value.decode("latin-1")
            joined[name] = f"{joined[name]},{text}" if name in joined else text
    return joined


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _last(text: str) -> str:
    return next(reversed(_parts(text)), "")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def are_addresses(text: str) -> bool:
    """Return whether a list of hops has at least one, and only addresses."""
    hops = _parts(text)
    return bool(hops) and all(_address(hop) is not None for hop in hops)


def is_trusted(text: str, networks: Iterable[Network]) -> bool:
    """Return whether an address belongs to a trusted proxy."""
    address = _address(text)
    return address is not None and any(address in network for network in networks)
