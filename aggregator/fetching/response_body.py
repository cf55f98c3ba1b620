"""Read responses within the limits for their time and their compressed and decompressed size."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp

from aggregator.domain.errors import RedirectError, SlowConnectError, SlowFirstByteError, WireTooLargeError
from aggregator.fetching.challenge_pages import READ
from aggregator.fetching.content_encoding import Unpacker, beginning
from aggregator.fetching.errors import too_large
from aggregator.fetching.request_target import display_url

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp.connector import Connection

    from aggregator.fetching.limits import Limits
    from aggregator.fetching.response import TransferStats


class PeerResponse(aiohttp.ClientResponse):
    """A response that keeps its peer's address: a short one releases its connection before it could be read."""

    peer = ""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Note the peer, and read the headers."""
        name = connection.transport.get_extra_info("peername") if connection.transport else None
        self.peer = str(name[0]) if name else ""
        return await super().start(connection)


def without_redirects() -> aiohttp.TraceConfig:
    """Return hooks that refuse redirects where the library would follow them: when a WebSocket is opened."""

    async def refuse(_session: object, _context: object, params: aiohttp.TraceRequestRedirectParams) -> None:
        raise RedirectError(f"{display_url(str(params.url))} redirects; give the address that it leads to.")

    hooks = aiohttp.TraceConfig()
    hooks.on_request_redirect.append(refuse)
    return hooks


async def headers_of(url: str, request: Awaitable[aiohttp.ClientResponse], limits: Limits) -> aiohttp.ClientResponse:
    """Wait until the headers of a response are complete.

    Raises:
        SlowConnectError, SlowFirstByteError: they are not, within the limits.
    """
    try:
        async with asyncio.timeout(limits.first_byte):
            return await request
    except aiohttp.ConnectionTimeoutError:
        raise SlowConnectError(f"{display_url(url)} could not be connected to within {limits.connect:g} s.") from None
    except TimeoutError:
        raise SlowFirstByteError(
            f"{display_url(url)} sent no complete headers within {limits.first_byte:g} s."
        ) from None


async def read_body(url: str, answer: aiohttp.ClientResponse, tally: TransferStats, limits: Limits) -> bytes:
    """Read and decompress a body.

    Raises:
        WireTooLargeError, UnpackedTooLargeError: it is larger than the limits.
        UnreadableError: it is not compressed as its headers say.
    """
    if (answer.content_length or 0) > limits.wire:
        raise too_large(WireTooLargeError, url, "announces", limits.wire)
    unpacker = Unpacker(url, _coding(answer), limits.decoded)
    received = 0
    async for chunk in answer.content.iter_any():
        received += len(chunk)
        tally.wire_bytes += len(chunk)
        if received > limits.wire:
            raise too_large(WireTooLargeError, url, "sends", limits.wire)
        unpacker.feed(chunk)
    return unpacker.whole()


async def read_beginning(url: str, answer: aiohttp.ClientResponse, tally: TransferStats, limits: Limits) -> bytes:
    """Read the beginning of an error page, as far as it can be read, to recognize bot challenges."""
    packed = bytearray()
    # A page that never ends must not hide the status and Retry-After of the headers.
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(limits.page):
            async for chunk in answer.content.iter_any():
                tally.wire_bytes += len(chunk)
                packed += chunk
                if len(packed) >= READ:
                    break
    return beginning(url, _coding(answer), bytes(packed), READ)


def _coding(answer: aiohttp.ClientResponse) -> str:
    """Return all Content-Encoding headers, joined."""
    return ", ".join(answer.headers.getall("Content-Encoding", ()))
