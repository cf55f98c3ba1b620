"""The one HTTP client for publishers: polite, bounded, and closed to private networks.

Every request, redirect hops included, waits for its turn at the host, and the guard looks at the very address that is
dialled, so that neither a name that changes its mind nor a redirect leads inside. Everything a publisher sends has a
bound: time, headers, bytes on the wire, bytes after unpacking.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
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
    WireTooLargeError,
)
from aggregator.fetching.challenge_pages import READ
from aggregator.fetching.content_encoding import Unpacker, beginning
from aggregator.fetching.dns_resolver import ResolvedNames, SystemResolver
from aggregator.fetching.errors import (
    check_status,
    in_words,
    proxy_not_found,
    refused_by_proxy,
    too_large,
)
from aggregator.fetching.ip_policy import deny_reason, is_address, within
from aggregator.fetching.request_target import (
    REDIRECTS,
    RedirectChain,
    check_address,
    display_url,
    host_key,
    wire_url,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohappyeyeballs import AddrInfoType
    from aiohttp.abc import AbstractResolver
    from aiohttp.connector import Connection

    from aggregator.domain.polling.rate_limit import Clock, RateLimiter
    from aggregator.fetching.ip_policy import Network

__all__ = ["Http", "Limits", "Response", "TransferStats", "display_url", "host_key", "parse_retry_after", "validators"]

ACCEPT_ANY = "*/*"
LONGEST_RETRY = timedelta(hours=24)  # a host that asks for more is asked again after this

_PAUSING = frozenset({429, 503})
_TELLING = frozenset({403, 429, 503})  # statuses whose page may be a robot check
_ENCODINGS = "gzip, deflate, br, zstd"
# Filled by the guard while one hop connects: each task tree has its own list.
_refused: ContextVar[list[str]] = ContextVar("refused")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of our time and memory one answer may take. Times in seconds, sizes in bytes."""

    look_up: float = 5.0  # of a name, once it waits for no free slot
    connect: float = 5.0  # TLS included
    first_byte: float = 15.0  # from the start of a request until its headers are complete
    total: float = 30.0  # of all hops together, without the wait for turns
    wire: int = 8 * 1024 * 1024  # of the body as it is sent
    decoded: int = 16 * 1024 * 1024  # of the body after unpacking
    page: float = 5.0  # for the page that comes with a refusal
    header_line: int = 16 * 1024
    redirects: int = 5


@dataclass(slots=True)
class TransferStats:
    """What a `get` has cost so far; filled as it goes, so that it is known after a failure too."""

    requests: int = 0
    wire_bytes: int = 0
    status: int | None = None  # of the last answer


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer of status 2xx, or 304 where validators were sent."""

    status: int
    url: str  # final, after redirects
    permanent_url: str | None  # where the unbroken run of permanent redirects at the beginning leads
    headers: Mapping[str, str]  # names in any case
    body: bytes  # unpacked; empty on 304
    wire_bytes: int
    requests: int  # hops
    started: datetime
    duration: timedelta
    private: bool  # the peer is in one of the networks that the operator opened


class Http:
    """An HTTP client for the time of an `async with`, bound to the running event loop.

    Args:
        user_agent: as publishers see it, with a contact address.
        private_networks: networks that may be reached although they are not public.
        quiet: grants turns at hosts and is told of their pauses.
        clock: the present moment.
        limits: bounds for every answer.
        proxy: "http://[user:password@]host:port" to send every request through; variables of the environment count
            for nothing.
        resolver: looks names up; the system's by default.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        private_networks: Sequence[Network],
        quiet: RateLimiter,
        clock: Clock = _utc_now,
        limits: Limits | None = None,
        proxy: str | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._proxy = proxy
        self._resolver = resolver
        self._user_agent = user_agent
        self._private_networks = tuple(private_networks)
        self._quiet = quiet
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
            response_class=_Answer,
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
            url: an http or https address without user name.
            headers: further headers; they never leave the origin of `url`.
            etag: sent back byte for byte as If-None-Match.
            modified: sent back byte for byte as If-Modified-Since.
            accept: the Accept header.
            tally: counts requests and bytes, also where this raises.
            downgrade: whether a redirect from https to http is followed.

        Raises:
            FetchError: no usable answer came; the subclass says why. PausedError: nothing was sent.
            UnreadableError: the body is not packed the way its headers say.
        """
        tally = TransferStats() if tally is None else tally
        check_address(url, ForbiddenAddressError)
        started, spent = self._clock(), 0.0
        trail = RedirectChain(url, self._limits.redirects, downgrade=downgrade)
        while True:
            sent = {"User-Agent": self._user_agent, "Accept": accept, "Accept-Encoding": _ENCODINGS}
            sent |= _validators_to_send(etag, modified)
            sent |= dict(headers or {}) if trail.at_home else {}
            async with self._quiet.turn(host_key(trail.url)) as turn:
                targets = await self._look_up(trail.url)
                began = time.monotonic()
                answer, body, private = await self._bounded(
                    trail.url, sent, tally, self._limits.total - spent, targets=targets
                )
                spent += time.monotonic() - began
                turn.answered = answer.status not in _PAUSING
                # Before the turn ends, or whoever waits for the next one would be let in meanwhile.
                until = await self._silence(trail.url, answer)
            if answer.status not in REDIRECTS:
                break
            trail.follow(answer.status, answer.headers.get("Location"))
        check_status(trail.url, answer.status, answer.headers, body, until, conditional=bool(etag or modified))
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

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a body to an address of the operator's; redirects are not followed.

        Raises:
            FetchError: it was not taken; the subclass says why.
        """
        check_address(url, ForbiddenAddressError)
        sent = {"User-Agent": self._user_agent, "Accept": ACCEPT_ANY, **headers}
        targets = await self._look_up(url)
        answer, told, _ = await self._bounded(
            url, sent, TransferStats(), self._limits.total, targets=targets, posted=body
        )
        if answer.status in REDIRECTS:
            raise RedirectError(f"{display_url(url)} redirects; give the address that it leads to.")
        check_status(url, answer.status, answer.headers, told, None, conditional=False)

    async def _bounded(
        self,
        url: str,
        sent: Mapping[str, str],
        tally: TransferStats,
        left: float,
        *,
        targets: Sequence[str],
        posted: bytes | None = None,
    ) -> tuple[_Answer, bytes, bool]:
        """Ask once, within what is left of the total time, and put the library's errors into our words."""
        refused: list[str] = []
        token = _refused.set(refused)
        try:
            async with asyncio.timeout(max(left, 0)):
                return await self._ask(url, sent, tally, targets, posted)
        except TimeoutError:
            raise SlowTotalError(
                f"{display_url(url)} had not answered in full after {self._limits.total:g} s."
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            if refused:
                raise ForbiddenAddressError(
                    f"{display_url(url)} leads to {', '.join(sorted(set(refused)))}, where we do not fetch from. "
                    "If it is meant, add the address to AGGREGATOR_PRIVATE_NETWORKS."
                ) from None
            raise in_words(url, problem, self._proxy or "") from None
        finally:
            _refused.reset(token)

    async def _ask(
        self,
        url: str,
        sent: Mapping[str, str],
        tally: TransferStats,
        targets: Sequence[str],
        posted: bytes | None = None,
    ) -> tuple[_Answer, bytes, bool]:
        if self._session is None:
            raise RuntimeError("Http is used outside its 'async with'")
        tally.requests += 1
        if self._proxy is not None:  # the guard sees only the proxy's own address
            for address in targets:
                self._check_peer(address)
        method = "GET" if posted is None else "POST"
        request = self._session.request(
            method, wire_url(url), headers=sent, data=posted, allow_redirects=False, proxy=self._proxy
        )
        try:
            async with asyncio.timeout(self._limits.first_byte):
                answer = await request
        except aiohttp.ConnectionTimeoutError:
            raise SlowConnectError(
                f"{display_url(url)} could not be connected to within {self._limits.connect:g} s."
            ) from None
        except TimeoutError:
            raise SlowFirstByteError(
                f"{display_url(url)} sent no complete headers within {self._limits.first_byte:g} s."
            ) from None
        if not isinstance(answer, _Answer):
            raise TypeError("the session makes another kind of response than it was told to")
        async with answer:
            tally.status = answer.status
            if self._proxy is not None and answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                raise refused_by_proxy(url, answer.status, self._proxy)
            peers = (answer.peer,) if self._proxy is None else targets
            private = any(within(address, self._private_networks) for address in peers)
            success = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
            if success:
                body = await self._body(url, answer, tally)
            else:
                body = await self._beginning(url, answer, tally) if answer.status in _TELLING else b""
        return answer, body, private

    async def _body(self, url: str, answer: _Answer, tally: TransferStats) -> bytes:
        limits = self._limits
        if (answer.content_length or 0) > limits.wire:
            raise too_large(WireTooLargeError, url, "announces", limits.wire)
        unpacker = Unpacker(url, answer.coding, limits.decoded)
        received = 0
        async for chunk in answer.content.iter_any():
            received += len(chunk)
            tally.wire_bytes += len(chunk)
            if received > limits.wire:
                raise too_large(WireTooLargeError, url, "sends", limits.wire)
            unpacker.feed(chunk)
        return unpacker.whole()

    async def _beginning(self, url: str, answer: _Answer, tally: TransferStats) -> bytes:
        """Return the beginning of a page that is no success, as far as it can be read; only to tell what it is."""
        packed = bytearray()
        # What the headers say (429, and for how long) must not be lost to a page that never ends.
        with suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(self._limits.page):
                async for chunk in answer.content.iter_any():
                    tally.wire_bytes += len(chunk)
                    packed += chunk
                    if len(packed) >= READ:
                        break
        return beginning(url, answer.coding, bytes(packed), READ)

    async def _look_up(self, url: str) -> Sequence[str]:
        """Return every address of a host, resolved before the time of the request begins to run.

        Raises:
            UnreachableError, SlowConnectError: there is none, or not in time.
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
            return [one["host"] for one in await self._names.look_up(host, self._limits.look_up)]
        except TimeoutError:
            raise SlowConnectError(
                f"{display_url(url)} could not be connected to: the name {host!r} was not resolved within "
                f"{self._limits.look_up:g} s."
            ) from None
        except OSError:
            raise UnreachableError(f"{display_url(url)} can't be reached: the name {host!r} was not found.") from None
        except ValueError as problem:  # no name can be like that
            raise in_words(url, problem, "") from None

    async def _silence(self, url: str, answer: _Answer) -> datetime | None:
        """Leave a host alone that asks for it; return until when it, or this address of it, wants no request."""
        if answer.status < HTTPStatus.BAD_REQUEST:
            return None
        now = self._clock()
        until = parse_retry_after(answer.headers.get("Retry-After"), answer.headers.get("Date"), now)
        if until is not None and until <= now:
            until = None
        if answer.status not in _PAUSING or (until is None and answer.status != HTTPStatus.TOO_MANY_REQUESTS):
            return until
        return await self._quiet.pause(host_key(url), until, f"{answer.status} from {display_url(url)}")

    def _guarded_socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, target = info
        if self._proxy is None:  # else it is the proxy's, which the operator named; see `_check_target`
            self._check_peer(str(target[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    def _check_peer(self, address: str) -> None:
        why = deny_reason(address, self._private_networks)
        if why is not None:
            _refused.get([]).append(f"{address} ({why})")
            raise PermissionError(f"{address} is refused: {why}")


class _Answer(aiohttp.ClientResponse):
    """A response that remembers whom it came from: a short one has given its connection back before we could ask."""

    peer = ""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        name = connection.transport.get_extra_info("peername") if connection.transport else None
        self.peer = str(name[0]) if name else ""
        return await super().start(connection)

    @property
    def coding(self) -> str:
        """How the body is packed: all headers of that name, as one."""
        return ", ".join(self.headers.getall("Content-Encoding", ()))


def validators(response: Response) -> dict[str, str]:
    """Return what to send back next time: "etag" and "modified", byte for byte, where the answer gave them.

    A value that is no UTF-8 is left out, since neither JSON nor the client could carry it unchanged.
    """
    given = {"etag": response.headers.get("ETag"), "modified": response.headers.get("Last-Modified")}
    return {name: value for name, value in given.items() if value and not re.search("[\ud800-\udfff\x00]", value)}


def parse_retry_after(value: str | None, date: str | None, now: datetime) -> datetime | None:
    """Say until when a Retry-After header asks us to wait.

    Seconds count from `now`. A date is taken relative to the answer's own Date, since clocks differ. A date in the
    past means `now`; more than 24 h means 24 h; an absent, negative or unreadable value means None.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        wait = timedelta(seconds=int(value)) if len(value) < len("1000000000") else LONGEST_RETRY
    else:
        moment = _http_date(value)
        if moment is None:
            return None
        wait = moment - (_http_date(date or "") or now)
    return now + min(max(wait, timedelta()), LONGEST_RETRY)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _validators_to_send(etag: str | None, modified: str | None) -> dict[str, str]:
    both = {"If-None-Match": etag, "If-Modified-Since": modified}
    return {name: value for name, value in both.items() if value}
