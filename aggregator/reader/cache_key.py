"""Reduce requests to cache keys: all parts that can change the response, and no others.

A cached response is made from a scope built from its key alone. So it can't depend on anything outside the key,
even if a client repeats or invents headers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from aggregator.reader.languages import PLACE, Place
from aggregator.web.negotiation import coding_of, media_of
from aggregator.web.proxies import forwarded_by, is_trusted, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import Scope

    from aggregator.config.settings import Network
    from aggregator.reader.languages import Languages
    from aggregator.web.translation import Language

CALLER = "aggregator.caller"  # in the scope: the caller, if already known
# Headers that may be repeated.
_LISTS = frozenset({b"accept", b"accept-encoding", b"accept-language", b"if-none-match"})
_MOST_REMEMBERED = 200  # characters of a header whose negotiation result is cached
# Paths whose responses don't depend on a token.
_IDENTICAL = frozenset(
    {"/", "/embed", "/embed/items", "/oembed", "/sitemap.xml", "/stats", "/stats.csv", "/stats.json"}
)


class Key(NamedTuple):
    """All inputs of a response besides the stream."""

    path: str  # without the prefix of the public URL and the language
    query: bytes
    coding: bytes
    media: bytes
    host: bytes | None  # None: the request has no Host header
    scheme: str
    by_token: bool
    language: Language
    is_negotiated: bool  # the language

    @property
    def size(self) -> int:
        """The maximum number of bytes chosen by the client."""
        return 4 * len(self.path) + len(self.query) + len(self.host or b"")


class CacheKeyBuilder:
    """Builds cache keys."""

    def __init__(
        self,
        *,
        public_url: str | None,
        trusted_proxies: Sequence[Network],
        trusts: Callable[[bytes], bool],
        languages: Languages,
    ) -> None:
        """Set the constants of all requests.

        Args:
            public_url: the public URL; if set, host and scheme of requests don't matter.
            trusted_proxies: proxies whose `X-Forwarded-*` headers count.
            trusts: returns whether the value of an Authorization header is known to be valid.
            languages: the languages of the portal.
        """
        self._languages = languages
        parts = urlsplit(public_url or "")
        self._prefix = parts.path
        self._base = (parts.netloc.encode(), parts.scheme) if public_url else None
        self._trusted = trusted_proxies
        self._believes = lru_cache(maxsize=1024)(lambda peer: is_trusted(peer, trusted_proxies))
        self._trusts = trusts

    def place(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Place:
        """Return the place of a request; proxies may strip the prefix of the public URL or keep it."""
        path: str = scope["path"]
        if self._prefix and path.startswith(self._prefix + "/"):
            path = path[len(self._prefix) :]
        return self._languages.place(path, headers.get(b"accept-language", b""))

    def key(self, scope: Scope, place: Place, headers: Mapping[bytes, bytes]) -> Key | None:
        """Return the key of a request, or None if it is ambiguous or its token isn't known to be valid.

        Args:
            scope: of the request.
            place: as returned by `self.place`.
            headers: as returned by `headers_of`.
        """
        path, language, is_negotiated = place
        authorization = None if path in _IDENTICAL else headers.get(b"authorization")
        if authorization is not None and not self._trusts(authorization):
            return None
        host, scheme = self._base or self._reached(scope, headers)
        encodings, accepted = headers.get(b"accept-encoding", b""), headers.get(b"accept", b"")
        coding = _coding if len(encodings) <= _MOST_REMEMBERED else _chosen_coding
        media = _media if len(accepted) <= _MOST_REMEMBERED else _chosen_media
        by_token = authorization is not None
        negotiated = (coding(encodings), media(accepted))
        return Key(path, scope["query_string"], *negotiated, host, scheme, by_token, language, is_negotiated)

    def _reached(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[bytes | None, str]:
        """Return the host and scheme that the client used."""
        host, scheme = headers.get(b"host"), scope["scheme"]
        client = scope["client"]
        is_forwarded = b"x-forwarded-host" in headers or b"x-forwarded-proto" in headers
        if is_forwarded and client and self._believes(client[0]):
            client_origin = origin(client[0], forwarded_by(scope["headers"]), self._trusted)
            return client_origin.host.encode() if client_origin.host else host, client_origin.scheme or scheme
        return host, scheme


def headers_of(scope: Scope) -> Mapping[bytes, bytes] | None:
    """Return the headers by name with lists joined, or None if a header is repeated that must not be."""
    headers = scope["headers"]
    values = dict(headers)
    if len(values) == len(headers):
        return values
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
    """Return the scope of a request built from its key alone.

    Args:
        key: the inputs of the response.
        template: a scope of the same server with the constant parts.
        caller: the result of `caller_of`.
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
        PLACE: Place(key.path, key.language, key.is_negotiated),
    }


def _chosen_coding(header: bytes) -> bytes:
    return coding_of(header.decode("latin-1")).encode()


def _chosen_media(header: bytes) -> bytes:
    return media_of(header.decode("latin-1")).encode()


_coding = lru_cache(maxsize=512)(_chosen_coding)
_media = lru_cache(maxsize=512)(_chosen_media)
