"""Fetch from publishers over HTTP: rate-limited, bounded, and closed to private networks.

Every request, redirect hops included, waits for the rate limiter of its host. The IP policy checks the address of each
socket, so that neither DNS rebinding nor a redirect reaches a private network. Everything a publisher sends is bounded:
time, headers, compressed and decompressed bytes.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import aiohttp

from aggregator.domain.errors import (
    ForbiddenAddressError,
    RedirectError,
    SlowConnectError,
    SlowFirstByteError,
    SlowTotalError,
    UnreachableError,
)
from aggregator.fetching.dns_resolver import ResolvedNames, SystemResolver
from aggregator.fetching.errors import (
    check_status,
    in_words,
    proxy_not_found,
    refused_by_proxy,
)
from aggregator.fetching.ip_policy import deny_reason, is_address, within
from aggregator.fetching.limits import Limits
from aggregator.fetching.request_target import (
    REDIRECTS,
    RedirectChain,
    check_address,
    display_url,
    host_key,
    wire_url,
)
from aggregator.fetching.response import (
    Response,
    TransferStats,
    conditional_headers,
    parse_retry_after,
)
from aggregator.fetching.response_body import (
    PeerResponse,
    headers_of,
    read_beginning,
    read_body,
    without_redirects,
)
from aggregator.system import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aiohappyeyeballs import AddrInfoType
    from aiohttp.abc import AbstractResolver

    from aggregator.domain.clock import Clock
    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.fetching.ip_policy import Network

ACCEPT_ANY = "*/*"

_PAUSING = frozenset({429, 503})
_CHALLENGES = frozenset({403, 429, 503})  # statuses whose page may be a bot challenge
_ENCODINGS = "gzip, deflate, br, zstd"
# Filled by the IP policy while one hop connects; each task tree has its own list.
_refused: ContextVar[list[str]] = ContextVar("refused")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Http:
    """An HTTP client, open during an `async with` and bound to the running event loop.

    Args:
        user_agent: with a contact address for publishers.
        private_networks: networks that may be reached although they are not public.
        rate_limiter: the rate limiter of hosts; records the pauses that they ask for.
        clock: returns the present time.
        limits: limits for every response.
        proxy: "http://[user:password@]host:port" for every request; proxy variables of the environment are ignored.
        resolver: the DNS resolver; the system's by default.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        private_networks: Sequence[Network],
        rate_limiter: RateLimiter,
        clock: Clock = _utc_now,
        limits: Limits | None = None,
        proxy: str | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._proxy = proxy
        self._resolver = resolver
        self._user_agent = user_agent
        self._private_networks = tuple(private_networks)
        self._rate_limiter = rate_limiter
        self._clock = clock
        self._limits = limits or Limits()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._names = ResolvedNames(self._resolver or SystemResolver())
        connector = aiohttp.TCPConnector(
            socket_factory=self._guarded_socket, limit=0, resolver=self._names, use_dns_cache=False
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            trace_configs=[without_redirects()],
            response_class=PeerResponse,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,  # the library would unpack without a bound
            timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect, sock_connect=self._limits.connect),
            max_line_size=self._limits.header_line,
            max_field_size=self._limits.header_line,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            await self._names.close()
            self._session = None

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        etag: str | None = None,
        modified: str | None = None,
        accept: str = ACCEPT_ANY,
        tally: TransferStats | None = None,
        downgrade: bool = False,
    ) -> Response:
        """Fetch `url`, following redirects.

        Args:
            url: an http or https URL without credentials.
            headers: further headers; they are sent to the origin of `url` only.
            etag: sent byte for byte as If-None-Match.
            modified: sent byte for byte as If-Modified-Since.
            accept: the Accept header.
            tally: counts requests and bytes, also on errors.
            downgrade: whether a redirect from https to http is followed.

        Raises:
            FetchError: no usable response; the subclass names the reason. PausedError: nothing was sent.
            UnreadableError: the body is not compressed as its headers say.
        """
        tally = TransferStats() if tally is None else tally
        check_address(url, ForbiddenAddressError)
        validators = conditional_headers(etag, modified)
        usual = {"User-Agent": self._user_agent, "Accept": accept, "Accept-Encoding": _ENCODINGS, **validators}
        trail = RedirectChain(url, self._limits.redirects, downgrade=downgrade)
        return await self._follow(trail, usual, dict(headers or {}), tally, conditional=bool(validators))

    async def _follow(
        self,
        trail: RedirectChain,
        usual: Mapping[str, str],
        own: Mapping[str, str],
        tally: TransferStats,
        *,
        conditional: bool,
    ) -> Response:
        """Send requests until one is not redirected; headers in `own` are for the first origin only."""
        started, spent = self._clock(), 0.0
        while True:
            sent = {**usual, **own} if trail.at_home else usual
            async with self._rate_limiter.acquire(host_key(trail.url)) as turn:
                targets = await self._look_up(trail.url)
                began = time.monotonic()
                answer, body, private = await self._bounded(
                    trail.url, sent, tally, self._limits.total - spent, targets=targets
                )
                spent += time.monotonic() - began
                turn.answered = answer.status not in _PAUSING
                # Before the slot is released, or the next request to this host would start meanwhile.
                until = await self._silence(trail.url, answer)
            if answer.status not in REDIRECTS:
                break
            trail.follow(answer.status, answer.headers.get("Location"))
        check_status(trail.url, answer.status, answer.headers, body, until, conditional=conditional)
        return Response(
            status=answer.status,
            url=trail.url,
            permanent_url=trail.permanent,
            headers=answer.headers,
            body=body,
            wire_bytes=tally.wire_bytes,
            requests=tally.requests,
            started=started,
            duration=timedelta(seconds=spent),
            private=private,
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Send a body to a URL from the settings; return the response's. Redirects are not followed.

        Raises:
            FetchError: it was not accepted; the subclass names the reason.
        """
        check_address(url, ForbiddenAddressError)
        sent = {"User-Agent": self._user_agent, "Accept": ACCEPT_ANY, **headers}
        targets = await self._look_up(url)
        answer, page, _ = await self._bounded(
            url, sent, TransferStats(), self._limits.total, targets=targets, posted=body
        )
        if answer.status in REDIRECTS:
            raise RedirectError(f"{display_url(url)} redirects; give the address that it leads to.")
        check_status(url, answer.status, answer.headers, page, None, conditional=False)
        return page

    async def _bounded(
        self,
        url: str,
        sent: Mapping[str, str],
        tally: TransferStats,
        left: float,
        *,
        targets: Sequence[str],
        posted: bytes | None = None,
    ) -> tuple[PeerResponse, bytes, bool]:
        """Send one request within the remaining time, and translate the library's errors."""
        try:
            with self._errors_in_words(url), tracing.span("http request") as span:
                async with asyncio.timeout(max(left, 0)):
                    answered = await self._request(url, sent, tally, targets, posted)
                if span is not None:
                    span.set_attributes(
                        {"server.address": host_key(url), "http.response.status_code": answered[0].status}
                    )
                return answered
        except TimeoutError:
            raise SlowTotalError(
                f"{display_url(url)} had not answered in full after {self._limits.total:g} s."
            ) from None

    @contextmanager
    def _errors_in_words(self, url: str) -> Iterator[None]:
        """Translate the library's errors; a `TimeoutError` is left to the caller."""
        refused: list[str] = []
        token = _refused.set(refused)
        try:
            yield
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            if refused:
                raise ForbiddenAddressError(
                    f"{display_url(url)} leads to {', '.join(sorted(set(refused)))}, where we do not fetch from. "
                    "If it is meant, add the address to AGGREGATOR_PRIVATE_NETWORKS."
                ) from None
            raise in_words(url, problem, self._proxy or "") from None
        finally:
            _refused.reset(token)

    async def upgrade(self, url: str, *, most: int, heartbeat: float) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket for messages of `most` bytes, without compression and without following redirects.

        Raises:
            FetchError: it was not opened. PausedError: nothing was sent.
        """
        if self._session is None:
            raise RuntimeError("Http is used outside its 'async with'")
        check_address(url, ForbiddenAddressError)
        async with self._rate_limiter.acquire(host_key(url)):
            for address in await self._look_up(url) if self._proxy is not None else ():
                with self._errors_in_words(url):  # the socket connects to the proxy's address only
                    self._check_peer(address)
            opening = self._session.ws_connect(
                wire_url(url),
                headers={"User-Agent": self._user_agent},
                proxy=self._proxy,
                heartbeat=heartbeat,
                max_msg_size=most,
                timeout=aiohttp.ClientWSTimeout(ws_close=self._limits.connect),
            )
            try:
                with self._errors_in_words(url):
                    async with asyncio.timeout(self._limits.first_byte):
                        return await opening
            except TimeoutError:
                raise SlowFirstByteError(
                    f"{display_url(url)} opened no WebSocket within {self._limits.first_byte:g} s."
                ) from None

    async def _request(
        self,
        url: str,
        sent: Mapping[str, str],
        tally: TransferStats,
        targets: Sequence[str],
        posted: bytes | None = None,
    ) -> tuple[PeerResponse, bytes, bool]:
        if self._session is None:
            raise RuntimeError("Http is used outside its 'async with'")
        tally.requests += 1
        if self._proxy is not None:  # the socket connects to the proxy's address only
            for address in targets:
                self._check_peer(address)
        method = "GET" if posted is None else "POST"
        request = self._session.request(
            method, wire_url(url), headers=sent, data=posted, allow_redirects=False, proxy=self._proxy
        )
        answer = await headers_of(url, request, self._limits)
        if not isinstance(answer, PeerResponse):
            raise TypeError("the session makes another kind of response than it was told to")
        async with answer:
            tally.status = answer.status
            if self._proxy is not None and answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                raise refused_by_proxy(url, answer.status, self._proxy)
            peers = (answer.peer,) if self._proxy is None else targets
            private = any(within(address, self._private_networks) for address in peers)
            success = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
            if success:
                body = await read_body(url, answer, tally, self._limits)
            else:
                is_challenge = answer.status in _CHALLENGES
                body = await read_beginning(url, answer, tally, self._limits) if is_challenge else b""
        return answer, body, private

    async def _look_up(self, url: str) -> Sequence[str]:
        """Resolve a host; DNS time does not count as request time.

        Raises:
            UnreachableError, SlowConnectError: the name has no address, or not in time.
        """
        if self._session is None:
            raise RuntimeError("Http is used outside its 'async with'")
        if self._proxy is not None:
            try:
                await self._addresses(url, wire_url(self._proxy).raw_host or "")
            except UnreachableError:
                raise proxy_not_found(url, self._proxy) from None
        try:
            return await self._addresses(url, wire_url(url).raw_host or "")
        except UnreachableError as problem:
            if self._proxy is None:
                raise
            raise UnreachableError(
                f"{str(problem).removesuffix('.')}, and we ask no proxy for a name without knowing what it stands for."
            ) from None

    async def _addresses(self, url: str, host: str) -> Sequence[str]:
        if is_address(host):
            return [host]
        try:
            return [record["host"] for record in await self._names.look_up(host, self._limits.look_up)]
        except TimeoutError:
            raise SlowConnectError(
                f"{display_url(url)} could not be connected to: the name {host!r} was not resolved within "
                f"{self._limits.look_up:g} s."
            ) from None
        except OSError:
            raise UnreachableError(f"{display_url(url)} can't be reached: the name {host!r} was not found.") from None
        except ValueError as problem:  # not a valid name
            raise in_words(url, problem, "") from None

    async def _silence(self, url: str, answer: PeerResponse) -> datetime | None:
        """Pause a host that asks for it; return when it, or this URL, may be requested again."""
        if answer.status < HTTPStatus.BAD_REQUEST:
            return None
        now = self._clock()
        until = parse_retry_after(answer.headers.get("Retry-After"), answer.headers.get("Date"), now)
        if until is not None and until <= now:
            until = None
        if answer.status not in _PAUSING or (until is None and answer.status != HTTPStatus.TOO_MANY_REQUESTS):
            return until
        return await self._rate_limiter.pause(host_key(url), until, f"{answer.status} from {display_url(url)}")

    def _guarded_socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, target = info
        if self._proxy is None:  # else it is the proxy's, from the settings; see `_request`
            self._check_peer(str(target[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    def _check_peer(self, address: str) -> None:
        why = deny_reason(address, self._private_networks)
        if why is not None:
            _refused.get([]).append(f"{address} ({why})")
            raise PermissionError(f"{address} is refused: {why}")
