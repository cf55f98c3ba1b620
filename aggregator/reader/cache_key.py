"""Canonical requests: everything about a request that may change its answer, and nothing else.

Answers are kept under such a key, and made from a scope that is built from the key alone. So an answer can't depend on
anything that its key leaves out, whatever headers a client repeats or invents.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from aggregator.web.negotiation import coding_of, media_of
from aggregator.web.proxies import forwarded_by, is_trusted, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import Scope

    from aggregator.config.settings import Network

CALLER = "aggregator.caller"  # in the scope: who asks, where that is known already
_LISTS = frozenset({b"accept", b"accept-encoding", b"if-none-match"})  # headers that may be repeated
_MOST_REMEMBERED = 200  # characters of a header whose choice is remembered
_IDENTICAL = frozenset({"/", "/embed", "/embed/items"})  # paths that answer alike with and without a token


class Key(NamedTuple):
    """What an answer follows from, besides the stream."""

    path: str  # without the prefix of our public address
    query: bytes
    coding: bytes
    media: bytes
    host: bytes | None  # None: the request has none
    scheme: str
    by_token: bool

    @property
    def size(self) -> int:
        """How many bytes of it a client chooses, at the most."""
        return 4 * len(self.path) + len(self.query) + len(self.host or b"")


class CacheKeyBuilder:
    """Reduces requests to keys."""

    def __init__(
        self,
        *,
        public_url: str | None,
        trusted_proxies: Sequence[Network],
        trusts: Callable[[bytes], bool],
    ) -> None:
        """Set what is the same for all requests.

        Args:
            public_url: where readers reach us; with it, host and scheme of a request change nothing.
            trusted_proxies: whose `X-Forwarded-*` headers count.
            trusts: whether the value of an Authorization header is known to be good.
        """
        parts = urlsplit(public_url or "")
        self._prefix = parts.path
        self._base = (parts.netloc.encode(), parts.scheme) if public_url else None
        self._trusted = trusted_proxies
        self._believes = lru_cache(maxsize=1024)(lambda peer: is_trusted(peer, trusted_proxies))
        self._trusts = trusts

    def path(self, scope: Scope) -> str:
        """Return the path without the prefix of our public address, which a proxy may strip or leave."""
        path: str = scope["path"]
        return path[len(self._prefix) :] if self._prefix and path.startswith(self._prefix + "/") else path

    def key(self, scope: Scope, path: str, asked: Mapping[bytes, bytes]) -> Key | None:
        """Return the key of a request; None where it is ambiguous, or its token is not known to be good.

        Args:
            scope: the request's.
            path: as `self.path` returns it.
            asked: the headers, as `headers_of` returns them.
        """
        authorization = None if path in _IDENTICAL else asked.get(b"authorization")
        if authorization is not None and not self._trusts(authorization):
            return None
        host, scheme = self._base or self._reached(scope, asked)
        encodings, accepted = asked.get(b"accept-encoding", b""), asked.get(b"accept", b"")
        coding = _coding if len(encodings) <= _MOST_REMEMBERED else _chosen_coding
        media = _media if len(accepted) <= _MOST_REMEMBERED else _chosen_media
        return Key(
            path, scope["query_string"], coding(encodings), media(accepted), host, scheme, authorization is not None
        )

    def _reached(self, scope: Scope, asked: Mapping[bytes, bytes]) -> tuple[bytes | None, str]:
        """Return host and scheme under which the client reached us."""
        host, scheme = asked.get(b"host"), scope["scheme"]
        client = scope["client"]
        is_forwarded = b"x-forwarded-host" in asked or b"x-forwarded-proto" in asked
        if is_forwarded and client and self._believes(client[0]):
            said = origin(client[0], forwarded_by(scope["headers"]), self._trusted)
            return said.host.encode() if said.host else host, said.scheme or scheme
        return host, scheme


def headers_of(scope: Scope) -> Mapping[bytes, bytes] | None:
    """Return the headers by name, lists joined; None where one is repeated that may not be."""
    headers = scope["headers"]
    asked = dict(headers)
    if len(asked) == len(headers):
        return asked
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in joined and name in _LISTS:
            joined[name] += b"," + value
        elif name in joined and name in {b"host", b"authorization"}:
            return None
        else:
            joined[name] = value
    return joined


def scope_of(key: Key, template: Scope, caller: object) -> Scope:
    """Return the scope of a request of which nothing is known but its key.

    Args:
        key: what the answer may depend on.
        template: a scope of the same server, for what is alike in all of them.
        caller: who asks, as `Callers.caller_of` returns it.
    """
    headers = [(b"accept", key.media), (b"accept-encoding", key.coding)]
    if key.host is not None:
        headers.insert(0, (b"host", key.host))
    return {
        **template,
        "method": "GET",
        "path": key.path,
        "raw_path": None,
        "query_string": key.query,
        "scheme": key.scheme,
        "headers": headers,
        CALLER: caller,
    }


def _chosen_coding(header: bytes) -> bytes:
    return coding_of(header.decode("latin-1")).encode()


def _chosen_media(header: bytes) -> bytes:
    return media_of(header.decode("latin-1")).encode()


_coding = lru_cache(maxsize=512)(_chosen_coding)
_media = lru_cache(maxsize=512)(_chosen_media)
